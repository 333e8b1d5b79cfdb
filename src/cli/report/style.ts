// The report's style sheet: light and dark on screen, always light on paper, nothing fetched from anywhere.

const LIGHT = `--paper:#ffffff;--ink:#1a1f2b;--quiet:#566072;--line:#d5dae3;--panel:#f5f7fa;--good:#0f6b3c;--bad:#a81e1e;
--before:#8792a6;--plan:#2f6fd0;--top-up:#c7780b;--purchased:#0d8a7d;--orgs:#2f6fd0`;

const DARK = `--paper:#12161d;--ink:#e6eaf2;--quiet:#a3adbe;--line:#333c4b;--panel:#1b212b;--good:#6fd39a;--bad:#ff9a94;
--before:#76829a;--plan:#6da3f5;--top-up:#eba64a;--purchased:#4cc3b5;--orgs:#6da3f5`;

export const STYLE = `
:root{color-scheme:light dark;${LIGHT}}
@media screen and (prefers-color-scheme:dark){:root{${DARK}}}
*{box-sizing:border-box}
body{margin:0 auto;padding:1.5rem 1rem 4rem;max-width:70rem;background:var(--paper);color:var(--ink);
font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif}
h1{font-size:1.6rem;line-height:1.2;margin:0 0 .25rem}
h2{font-size:1.2rem;margin:2.5rem 0 .5rem;padding-top:.75rem;border-top:1px solid var(--line)}
h3{font-size:1rem;margin:1.5rem 0 .25rem}
p{margin:.5rem 0;max-width:48rem}
code{font:0.92em ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;overflow-wrap:anywhere}
dl.facts{display:grid;grid-template-columns:max-content 1fr;gap:.15rem 1rem;margin:1rem 0}
dl.facts dt{color:var(--quiet)}
dl.facts dd{margin:0;overflow-wrap:anywhere}
ul.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(13rem,1fr));gap:.75rem;list-style:none;padding:0;margin:1rem 0}
ul.tiles li{background:var(--panel);border:1px solid var(--line);border-radius:.4rem;padding:.6rem .8rem}
ul.tiles strong{display:block;font-size:1.25rem;font-variant-numeric:tabular-nums;overflow-wrap:anywhere}
ul.tiles span{color:var(--quiet)}
nav ul{display:flex;flex-wrap:wrap;gap:.25rem 1rem;list-style:none;padding:0;margin:.75rem 0}
a{color:inherit}
.wide{overflow-x:auto}
table{border-collapse:collapse;width:100%;margin:.75rem 0;font-size:.875em;font-variant-numeric:tabular-nums}
caption{text-align:left;color:var(--quiet);padding:.25rem 0}
th,td{text-align:left;padding:.25rem .5rem;border-bottom:1px solid var(--line);vertical-align:top;unicode-bidi:isolate}
table.short{width:auto;min-width:min(24rem,100%)}
tbody th{font-weight:500;min-width:8em;overflow-wrap:anywhere}
tbody th+td{white-space:nowrap}
thead th{border-bottom:2px solid var(--line)}
.number{text-align:right;white-space:nowrap}
thead .number{white-space:normal}
.good{color:var(--good);font-weight:600}
.bad{color:var(--bad);font-weight:600}
td .good,td .bad{white-space:nowrap}
.verdict{border:1px solid var(--line);border-left:.4rem solid var(--good);border-radius:.4rem;background:var(--panel);padding:.4rem .9rem;margin:1rem 0}
.verdict.open{border-left-color:var(--bad)}
.instead{display:none}
figure{margin:1rem 0}
figcaption{font-weight:600}
figure .wide svg{display:block;width:100%;min-width:34rem;height:auto}
svg text{font:12px system-ui,-apple-system,"Segoe UI",Roboto,Arial,sans-serif;fill:var(--ink)}
svg text.label{text-anchor:end}
.fill-before{fill:var(--before)}.fill-plan{fill:var(--plan)}.fill-topUp{fill:var(--top-up)}
.fill-purchased{fill:var(--purchased)}.fill-orgs{fill:var(--orgs)}
ul.legend{display:flex;flex-wrap:wrap;gap:.25rem 1.25rem;list-style:none;padding:0;margin:.25rem 0;color:var(--quiet)}
ul.legend svg{width:.75em;height:.75em}
footer{margin-top:3rem;padding-top:.75rem;border-top:1px solid var(--line);color:var(--quiet)}
@media screen and (max-width:40rem){
body{padding:1rem .75rem 3rem}
dl.facts{grid-template-columns:1fr;gap:0}
dl.facts dd{margin-bottom:.4rem}
ul.tiles{grid-template-columns:repeat(auto-fill,minmax(9.5rem,1fr));gap:.5rem}
ul.tiles strong{font-size:1rem}
figure{display:none}
.instead{display:block}
.number,tbody th+td{white-space:normal}
td .good,td .bad{white-space:normal}
tbody th{min-width:0}
table.list,table.list tbody,table.list tr,table.list th,table.list td{display:block}
table.list caption{display:block}
table.list thead{display:none}
table.list tr{padding:.5rem 0;border-bottom:2px solid var(--line)}
table.list td{display:flex;justify-content:space-between;gap:1rem;border:0;text-align:right;padding:.1rem .5rem}
table.list td:empty{display:none}
table.list td::before{content:attr(data-title);color:var(--quiet);text-align:left}
table.list tbody th{border:0;text-align:left}
}
@media print{
@page{size:landscape;margin:12mm}
body{max-width:none;padding:0;font-size:10pt}
nav{display:none}
.wide{overflow:visible}
figure .wide svg{min-width:0;width:70%}
table{font-size:8pt}
th,td{padding:.15rem .35rem}
h2,h3,caption,figcaption{break-after:avoid}
figure,tr,table.short,ul.tiles li{break-inside:avoid}
tbody tr:first-child{break-before:avoid}
thead{display:table-header-group}
svg rect{print-color-adjust:exact;-webkit-print-color-adjust:exact}
}`;
