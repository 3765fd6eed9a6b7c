import torch,time,sys
torch.set_num_threads(1)
from scenelift.adapt.recipes import recipe
from scenelift.adapt.feature_alignment import FeatureAlignment
from scenelift.adapt.method import Clock
c=recipe('desk')
m=FeatureAlignment(c.method,seed=0,device=torch.device('cpu'),half='bf16' in sys.argv)
n,s=32,112
g=torch.Generator().manual_seed(0)
nrm=torch.nn.functional.normalize(torch.randn(n,3,s,s,generator=g),dim=1)
syn=dict(image=torch.randint(0,255,(n,3,s,s),dtype=torch.uint8,generator=g),z_depth_m=torch.rand(n,1,s,s,generator=g)+1,normal=nrm,edge=torch.rand(n,1,s,s,generator=g)>.9,valid=torch.ones(n,1,s,s,dtype=torch.bool),sample_seed=torch.arange(n))
real=dict(image=torch.randint(0,255,(n,3,s,s),dtype=torch.uint8,generator=g),sample_seed=torch.arange(n))
b={'synthetic':syn,'real':real}
def st(k): m.step(b,clock=Clock(step=k,steps=3000))
for k in range(1,4): st(k)
t=time.process_time()
for k in range(4,12): st(k)
print((time.process_time()-t)/8*1e3,'ms/step')
with torch.profiler.profile() as p: st(13)
print(p.key_averages().table(sort_by='self_cpu_time_total',row_limit=28,max_name_column_width=50))
