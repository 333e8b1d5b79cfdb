// The two pictures that are drawn for people: what runs where, and the stages of a data center.
import { drawArea, drawArrow, drawBox, drawText, renderSvg, type Theme } from './svg.js';

/** Operator, control, scheduler, queue, worker, cells and product, and what goes between them. */
export function drawWhatRunsWhere(theme: Theme): string {
  const arrow = (path: string, label: string, x: number, y: number, anchor?: 'start' | 'end'): string =>
    drawArrow(theme, { path, label, at: [x, y], ...(anchor && { anchor }) });
  return renderSvg(
    theme,
    { width: 900, height: 440 },
    'What runs where',
    [
      drawBox(theme, {
        x: 24,
        y: 24,
        width: 210,
        height: 74,
        title: 'Operator',
        lines: ['the command line'],
        color: theme.accent,
      }),
      drawBox(theme, {
        x: 24,
        y: 182,
        width: 210,
        height: 96,
        title: 'Control database',
        lines: ['stages, plans, approvals,', 'audit; no org data'],
      }),
      drawBox(theme, {
        x: 340,
        y: 182,
        width: 180,
        height: 96,
        title: 'Scheduler',
        lines: ['decides the next step', 'of each data center'],
      }),
      drawBox(theme, { x: 24, y: 346, width: 210, height: 70, title: 'Queue', lines: ['wakes processes up'] }),
      drawBox(theme, { x: 340, y: 346, width: 180, height: 70, title: 'Workers', lines: ['plan, write, verify'] }),
      drawArea(theme, {
        x: 636,
        y: 24,
        width: 240,
        height: 392,
        title: 'Data center (one of several)',
        color: theme.good,
      }),
      drawBox(theme, { x: 656, y: 62, width: 200, height: 64, title: 'Product', lines: ['help desk'] }),
      drawBox(theme, {
        x: 656,
        y: 182,
        width: 200,
        height: 214,
        title: 'Cell: its Postgres',
        lines: [
          "the product's orgs (read)",
          '',
          'schema credit_rollout:',
          'plans, fence, batches,',
          'allotments, gate',
        ],
      }),
      arrow('M129 98 V178', 'requests, approvals', 136, 142, 'start'),
      arrow('M234 61 H560 V214 H652', 'plan, verify, why: read the cell', 400, 52),
      arrow('M340 218 H238', 'steps', 288, 210),
      arrow('M238 240 H336', 'requests', 288, 257),
      arrow('M520 254 H652', 'fence, counts', 584, 246),
      arrow('M380 278 V316 H129 V342', 'wake-ups', 250, 308),
      arrow('M234 381 H336', 'jobs', 286, 372),
      arrow('M520 381 H652', 'plans, batches', 584, 372),
      drawArrow(theme, { path: 'M756 126 V178', label: 'capacity, sign-ups', at: [764, 157], anchor: 'start' }),
    ].join('\n'),
  );
}

const STAGES_SIZE = { width: 900, height: 330 };

/** The stages of a data center, from left to right, and the ways out. */
export function drawStages(theme: Theme): string {
  const box = (x: number, y: number, title: string, lines: readonly string[], color?: string): string =>
    drawBox(theme, { x, y, width: 118, height: 70, title, lines, ...(color && { color }) });
  const step = (x: number): string => drawArrow(theme, { path: `M${x} 125 H${x + 27}` });
  const xs = [18, 166, 314, 462, 610, 758] as const;
  return renderSvg(
    theme,
    STAGES_SIZE,
    'The stages of a data center',
    [
      drawArea(theme, {
        x: 154,
        y: 46,
        width: 438,
        height: 130,
        title: 'one data center at a time',
        color: theme.accent,
      }),
      box(xs[0], 90, 'pending', ['planned, approved']),
      box(xs[1], 90, 'canary', ['one org of each', 'kind']),
      box(xs[2], 90, 'migrating', ['range by range']),
      box(xs[3], 90, 'verifying', ['by an independent', 'rule']),
      box(xs[4], 90, 'baking', ['waits']),
      box(xs[5], 90, 'done', ['nightly runs,', 'cut-over'], theme.good),
      ...xs.slice(0, 5).map((x) => step(x + 119)),
      box(xs[2], 236, 'failed', ['a rule was broken'], theme.bad),
      box(xs[3], 236, 'aborted', ['by its operator'], theme.bad),
      drawArrow(theme, { path: 'M225 160 V271 H310' }),
      drawArrow(theme, { path: 'M358 160 V232' }),
      drawArrow(theme, { path: 'M388 232 V164', label: 'retry', at: [394, 206], anchor: 'start', dashed: true }),
      drawArrow(theme, { path: 'M521 160 V232', label: 'abort', at: [528, 206], anchor: 'start' }),
      drawArrow(theme, { path: 'M521 86 V70 H373 V86', label: 'work left', at: [447, 64], dashed: true }),
      drawArrow(theme, {
        path: 'M817 86 V24 H77 V86',
        label: 'the cell is not what was verified: done again',
        at: [447, 18],
        dashed: true,
      }),
      drawText(theme, {
        x: 600,
        y: 262,
        text: 'apply starts a new run from done, failed and aborted;',
        size: 12,
        color: theme.muted,
        anchor: 'start',
      }),
      drawText(theme, {
        x: 600,
        y: 280,
        text: 'it writes only what is missing',
        size: 12,
        color: theme.muted,
        anchor: 'start',
      }),
    ].join('\n'),
  );
}
