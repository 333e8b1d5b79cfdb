// Whether what a soak measured grows: by the slope of the second half. What the first half shows is how it fills.

export interface Line {
  readonly name: string;
  /** What the second half may grow by, as its slope says. */
  readonly bound: number;
  readonly samples: { readonly atMs: number; readonly value: number }[];
}

export interface Growth {
  readonly name: string;
  readonly samples: number;
  readonly first: number;
  readonly last: number;
  readonly most: number;
  /** From the beginning of the second half to its end, along the line that fits best. */
  readonly grew: number;
  readonly bound: number;
  readonly verdict: 'steady' | 'grows';
}

/** Too few, and a line says nothing. */
const ENOUGH = 12;

export function describeGrowth({ name, bound, samples }: Line): Growth {
  const half = samples.slice(Math.floor(samples.length / 2));
  const grew = half.length < ENOUGH ? 0 : slopeOf(half) * ((half.at(-1)?.atMs ?? 0) - (half[0]?.atMs ?? 0));
  const values = samples.map(({ value }) => value);
  const [first = 0, last = 0] = [values[0], values.at(-1)];
  const most = Math.max(...values);
  return { name, samples: values.length, first, last, most, grew, bound, verdict: grew > bound ? 'grows' : 'steady' };
}

/** Least squares, in units a millisecond. */
function slopeOf(samples: Line['samples']): number {
  const mean = (of: (sample: Line['samples'][number]) => number): number =>
    samples.reduce((sum, sample) => sum + of(sample), 0) / samples.length;
  const [meanAt, meanValue] = [mean(({ atMs }) => atMs), mean(({ value }) => value)];
  const spread = mean(({ atMs }) => (atMs - meanAt) ** 2);
  return spread === 0 ? 0 : mean(({ atMs, value }) => (atMs - meanAt) * (value - meanValue)) / spread;
}
