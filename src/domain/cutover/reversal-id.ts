// How a reversal is named: `in-r2` is number 2, of the data center `in`. Nothing else is named like that.

export interface ReversalId {
  readonly dataCenter: string;
  /** The number in control. */
  readonly reversalId: bigint;
}

export const showReversalId = ({ dataCenter, reversalId }: ReversalId): string => `${dataCenter}-r${reversalId}`;

/** Undefined: it is no reversal's name. */
export function parseReversalId(text: string): ReversalId | undefined {
  const [, dataCenter, number] = /^([a-z][a-z0-9-]*)-r([1-9]\d{0,17})$/u.exec(text) ?? [];
  if (dataCenter === undefined || number === undefined) return undefined;
  return { dataCenter, reversalId: BigInt(number) };
}
