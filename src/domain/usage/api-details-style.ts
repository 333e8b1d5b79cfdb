// The style sheet of the API details page: one column that fits a phone, light and dark on screen, light on paper,
// nothing fetched from anywhere. And the policy under which a browser shows the page: that style sheet, nothing else.
import { createHash } from 'node:crypto';

const LIGHT = `--paper:#ffffff;--ink:#1a1f2b;--quiet:#566072;--line:#d5dae3;--panel:#f5f7fa;--bad:#a81e1e;--track:#d5dae3;
--used:#2f6fd0;--full:#a81e1e;--earlier:#8792a6`;

const DARK = `--paper:#12161d;--ink:#e6eaf2;--quiet:#a3adbe;--line:#333c4b;--panel:#1b212b;--bad:#ff9a94;--track:#333c4b;
--used:#6da3f5;--full:#ff9a94;--earlier:#76829a`;

export const API_DETAILS_STYLE = `
:root{color-scheme:light dark;${LIGHT}}
@media screen and (prefers-color-scheme:dark){:root{${DARK}}}
*{box-sizing:border-box}
body{margin:0 auto;padding:1rem .9rem 3rem;max-width:44rem;background:var(--paper);color:var(--ink);
font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif}
h1{font-size:1.4rem;line-height:1.2;margin:0 0 .25rem}
h2{font-size:1.1rem;margin:2rem 0 .5rem}
p{margin:.4rem 0;overflow-wrap:anywhere}
a{color:inherit}
bdi,td,th,blockquote{overflow-wrap:anywhere}
.quiet{color:var(--quiet)}
.bad{color:var(--bad);font-weight:600}
.panel{background:var(--panel);border:1px solid var(--line);border-radius:.5rem;padding:.8rem .9rem;margin:1rem 0}
.big{font-size:1.35rem;line-height:1.25;font-weight:600;font-variant-numeric:tabular-nums;margin:0}
.panel svg{display:block;width:100%;height:.9rem;margin:.6rem 0}
svg.days{display:block;width:100%;height:auto;margin:.5rem 0}
svg.share{display:block;width:100%;min-width:3rem;height:.7rem}
svg text{font:9px system-ui,-apple-system,"Segoe UI",Roboto,Arial,sans-serif;fill:var(--ink)}
.fill-track{fill:var(--track)}.fill-used{fill:var(--used)}.fill-full{fill:var(--full)}.fill-earlier{fill:var(--earlier)}
.line-total{stroke:var(--ink);stroke-width:1;stroke-dasharray:4 3}
.line-base{stroke:var(--line);stroke-width:1}
table{border-collapse:collapse;width:100%;margin:.5rem 0;font-size:.9em;font-variant-numeric:tabular-nums}
caption{text-align:left;color:var(--quiet);padding:.2rem 0}
th,td{text-align:left;padding:.3rem .4rem;border-bottom:1px solid var(--line);vertical-align:top;unicode-bidi:isolate}
th{font-weight:500}
tbody th{min-width:6.5rem}
.wide{overflow-x:auto}
figure{margin:0}
thead th{border-bottom:2px solid var(--line);color:var(--quiet)}
tr.sum>*{font-weight:700;border-top:2px solid var(--line)}
.number{text-align:right;white-space:nowrap;overflow-wrap:normal}
td.bar{width:30%}
small{display:block;color:var(--quiet);font-size:.9em}
blockquote{margin:.5rem 0;padding:.1rem .8rem;border-left:3px solid var(--line)}
ul.legend{display:flex;flex-wrap:wrap;gap:.2rem 1rem;list-style:none;padding:0;margin:.2rem 0;
color:var(--quiet);font-size:.9em}
ul.legend svg{display:inline-block;width:.8em;height:.8em}
footer{margin-top:2.5rem;padding-top:.6rem;border-top:1px solid var(--line);color:var(--quiet);font-size:.9em}
@media print{
@page{margin:14mm}
body{max-width:none;padding:0;font-size:10.5pt}
h2,caption{break-after:avoid}
tr,.panel,figure{break-inside:avoid}
.wide{overflow:visible}
thead{display:table-header-group}
svg rect{print-color-adjust:exact;-webkit-print-color-adjust:exact}
}`;

const STYLE_HASH = createHash('sha256').update(API_DETAILS_STYLE).digest('base64');

/** Of the page itself; a server adds who may embed it, which a page cannot say. */
export const API_DETAILS_POLICY = `default-src 'none'; style-src 'sha256-${STYLE_HASH}'; base-uri 'none'; form-action 'none'`;
