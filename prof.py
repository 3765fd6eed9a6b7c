import torch,time
torch.set_num_threads(1)
from scenelift.adapt.backbones import build_backbone
from scenelift.adapt.heads import build_heads
g=torch.Generator().manual_seed(0)
b=build_backbone('alexnet-small',generator=g); h=build_heads(b,generator=g)
x=torch.rand(32,3,112,112)
def t(f,n=5):
    f(); s=time.process_time()
    for _ in range(n): f()
    return (time.process_time()-s)/n*1e3
x=x.to(memory_format=torch.channels_last); b=b.to(memory_format=torch.channels_last); h=h.to(memory_format=torch.channels_last)
def fb():
    f=b(x); a=h(f,width=112,height=112); sum(v.mean() for v in a.values()).backward()
def bb():
    f=b(x); sum(v.mean() for v in f.values()).backward()
print('all',t(fb),'backbone',t(bb), 'fwd', t(lambda:b(x)))
for task in ('edge','depth','normal'):
    f={k:v.detach().requires_grad_() for k,v in b(x).items()}
    print(task, t(lambda:h(f,width=112,height=112,tasks=[task])[task].mean().backward()))
for layer in b.layers: print(layer.name, b(x)[layer.name].shape)
with torch.profiler.profile() as p: fb()
print(p.key_averages().table(sort_by='self_cpu_time_total',row_limit=14,max_name_column_width=50))
