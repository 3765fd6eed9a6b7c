"""How the page looks: on a screen light or dark, on a phone and in print."""

from typing import Final

STYLE: Final = """
:root{--paper:#fdfdfb;--ink:#1d1f24;--faint:#686c76;--rule:#e3e2dc;--card:#fff;--wash:#f4f3ee;
--good:#1c7a4c;--watch:#9a6200;--bad:#b3261e;--band:#1c7a4c14;
--c0:#2761a8;--c1:#c4581b;--c2:#1f8a70;--c3:#8a4fa0;--c4:#8c7a12;--c5:#b03a64}
@media (prefers-color-scheme:dark){:root{--paper:#14161a;--ink:#e6e5e0;--faint:#979ba6;--rule:#2c3038;--card:#1a1d22;
--wash:#20242b;--good:#6cc795;--watch:#e2ae55;--bad:#f28b82;--band:#6cc79518;
--c0:#7fb0ec;--c1:#f0975f;--c2:#62cdb2;--c3:#c79adb;--c4:#d8c65c;--c5:#ef8fb1}}
*{box-sizing:border-box}
html{scroll-behavior:smooth;-webkit-text-size-adjust:100%}
body{margin:0;background:var(--paper);color:var(--ink);
font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans","Liberation Sans",sans-serif;
font-variant-numeric:tabular-nums lining-nums}
header,main{max-width:70rem;margin:0 auto;padding:0 clamp(1rem,4vw,2.5rem)}
header{padding-top:3rem}
header>p{margin:0;color:var(--faint);font-size:.875rem;letter-spacing:.02em}
h1{margin:.1rem 0 1rem;font-size:clamp(1.7rem,5vw,2.4rem);line-height:1.15;font-weight:650;letter-spacing:-.02em;overflow-wrap:anywhere}
nav{display:flex;flex-wrap:wrap;gap:.25rem 1.25rem;padding-bottom:1rem;border-bottom:1px solid var(--rule);font-size:.9rem}
nav a{color:var(--faint);text-decoration:none}nav a:hover{color:var(--ink);text-decoration:underline}
section{padding:2.25rem 0 .5rem}
section+section{border-top:1px solid var(--rule);margin-top:1.75rem}
h2{margin:0 0 .6rem;font-size:1.35rem;font-weight:650;letter-spacing:-.01em}
h3{margin:1.6rem 0 .4rem;font-size:1rem;font-weight:600}
p{margin:.4rem 0;max-width:46rem}
.lead{font-size:1.05rem}
section:not(#summary)>.lead{font-size:1rem;color:var(--faint)}
small{color:var(--faint);font-size:.82em}
code{font:.86em/1.5 ui-monospace,"SF Mono",Menlo,Consolas,"Liberation Mono",monospace;overflow-wrap:anywhere}
.note{padding:.55rem .9rem;background:var(--wash);border-radius:.4rem;color:var(--faint);font-size:.92rem}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(8.5rem,1fr));gap:1px;margin:1.3rem 0;
background:var(--rule);border:1px solid var(--rule);border-radius:.5rem;overflow:hidden}
.tiles div{padding:.7rem .9rem;background:var(--card)}
.tiles dt{color:var(--faint);font-size:.8rem}
.tiles dd{margin:0;font-size:1.12rem;font-weight:600;overflow-wrap:anywhere}
.scroll{overflow-x:auto;margin:.9rem 0}
table{border-collapse:collapse;width:100%;font-size:.92rem}
th{padding:.35rem .9rem .35rem 0;border-bottom:1px solid var(--ink);color:var(--faint);font-weight:500;text-align:left;
font-size:.82rem;white-space:nowrap}
td{padding:.42rem .9rem .42rem 0;border-bottom:1px solid var(--rule);vertical-align:top}
td:last-child,th:last-child{padding-right:0}
.n{text-align:right;white-space:nowrap}
#audit td:last-child{min-width:15rem}
.verdicts{list-style:none;margin:.4rem 0;padding:0}
.verdicts li{display:grid;grid-template-columns:6.6rem 1fr;gap:.8rem;padding:.55rem 0;border-bottom:1px solid var(--rule)}
.verdicts p{margin:.15rem 0 0;color:var(--faint);font-size:.93rem}
.state{display:flex;align-items:baseline;gap:.45rem;font-size:.85rem;font-weight:600;white-space:nowrap}
.state::before{content:"";flex:none;width:.55rem;height:.55rem;border-radius:50%;background:currentColor}
.bad .state,span.bad{color:var(--bad)}.watch .state,span.watch{color:var(--watch)}
.good .state,span.good{color:var(--good)}.unknown .state{color:var(--faint)}
.bad .state::before{border-radius:0;transform:rotate(45deg)}.watch .state::before{border-radius:.12rem}
.unknown .state::before{background:none;border:1.5px solid currentColor}
.charts{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(20rem,100%),1fr));gap:1.4rem 1.6rem;margin:1rem 0}
.chart{margin:0;break-inside:avoid;display:flex;flex-direction:column;justify-content:space-between}
.chart h3{margin:0;font-size:.94rem}
.chart p{margin:.1rem 0 .3rem;display:flex;flex-wrap:wrap;gap:0 .9rem;font-size:.8rem;color:var(--faint)}
.chart svg{display:block;width:100%;height:auto;overflow:visible}
.key::before{content:"";display:inline-block;width:.95rem;margin-right:.35rem;vertical-align:.22em;border-top:2.5px solid}
.key.held::before{border-top-style:dashed}.key b{color:var(--ink);font-weight:600}
.t{font-size:10.5px;fill:var(--faint)}
.grid{stroke:var(--rule);fill:none}
.mark{stroke:var(--faint);fill:none;stroke-dasharray:2 3}
.band{fill:var(--band)}.lost{stroke:var(--bad);stroke-width:1.4}
.shade{fill-opacity:.16;stroke:none}
.rail{stroke:var(--rule);stroke-width:2;fill:none}
.interval{width:7.5rem;height:1rem;vertical-align:middle}
[class^=l]{fill:none;stroke-width:1.7;stroke-linejoin:round;stroke-linecap:round}
path.held{stroke-dasharray:5 4}.wide{stroke-width:3.5;stroke-opacity:.45}
COLOURS
.moments{display:flex;flex-wrap:wrap;gap:.3rem}
.moments input{position:absolute;opacity:0;pointer-events:none}
.moments label{padding:.25rem .8rem;border:1px solid var(--rule);border-radius:2rem;font-size:.88rem;color:var(--faint);cursor:pointer}
.moments input:checked+label{background:var(--ink);border-color:var(--ink);color:var(--paper)}
.moments input:focus-visible+label{outline:2px solid var(--c0);outline-offset:2px}
.panel{display:none;flex:0 0 100%;order:1}
MOMENTS
.panel>h3{display:none}
.pair{display:flex;flex-wrap:wrap;gap:.9rem;margin:.9rem 0;align-items:flex-start}
figure{margin:0}
.pair img{display:block;width:100%;height:auto;background:#fff}
.pair figcaption{margin-top:.25rem;color:var(--faint);font-size:.82rem}
summary{cursor:pointer;color:var(--faint);font-size:.9rem}
main{padding-bottom:4rem}
@media (max-width:44rem){#audit table,#audit tbody{display:block}#audit thead{display:none}
#audit tr{display:grid;grid-template-columns:1fr auto;gap:0 .8rem;padding:.6rem 0;border-bottom:1px solid var(--rule)}
#audit td{border:0;padding:.1rem 0}#audit td:first-child{grid-column:1/-1}#audit td:nth-child(2){order:1;text-align:right}
#audit td:nth-child(3){order:0}#audit td:last-child{grid-column:1/-1;order:2;min-width:0}}
@media (max-width:34rem){.verdicts li{grid-template-columns:1fr;gap:.1rem}td,th{padding-right:.6rem}}
@media print{:root{--paper:#fff;--ink:#000;--faint:#555;--rule:#ccc;--card:#fff;--wash:#f3f3f3;--good:#1c7a4c;--watch:#9a6200;
--bad:#b3261e;--c0:#2761a8;--c1:#c4581b;--c2:#1f8a70;--c3:#8a4fa0;--c4:#8c7a12;--c5:#b03a64}
body{font-size:10pt}nav,.moments label,.moments input{display:none}.panel,.panel>h3{display:block!important}
.charts{grid-template-columns:1fr 1fr}section{break-inside:auto}h2,h3{break-after:avoid}tr,.pair,.verdicts li{break-inside:avoid}}
""".replace(
    "COLOURS",
    "".join(
        f".l{i}{{stroke:var(--c{i})}}.f{i}{{fill:var(--c{i})}}.k{i}::before{{border-color:var(--c{i})}}"
        for i in range(6)
    ),
).replace(
    "MOMENTS",
    ",".join(f"#m{i}:checked~.panel:nth-of-type({i + 1})" for i in range(5)) + "{display:block}",
)
