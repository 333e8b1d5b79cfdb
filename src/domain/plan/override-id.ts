// How an override is named among data centers: `in-o3` is the third of `in`. A plan's name never ends like that.

export interface OverrideId {
  readonly dataCenter: string;
  /** The number in its cell. */
  readonly overrideId: bigint;
}

export const showOverrideId = ({ dataCenter, overrideId }: OverrideId): string => `${dataCenter}-o${overrideId}`;

/** Undefined: it is no override's name. */
export function parseOverrideId(text: string): OverrideId | undefined {
  const [, dataCenter, number] = /^([a-z][a-z0-9-]*)-o([1-9]\d{0,17})$/u.exec(text) ?? [];
  if (dataCenter === undefined || number === undefined) return undefined;
  return { dataCenter, overrideId: BigInt(number) };
}
