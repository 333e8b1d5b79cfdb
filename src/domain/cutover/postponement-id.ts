// How a postponement is named: `in-c3` is number 3, of the data center `in`. No plan and no override is named like that.

export interface PostponementId {
  readonly dataCenter: string;
  /** The number in control. */
  readonly postponementId: bigint;
}

export const showPostponementId = ({ dataCenter, postponementId }: PostponementId): string =>
  `${dataCenter}-c${postponementId}`;

/** Undefined: it is no postponement's name. */
export function parsePostponementId(text: string): PostponementId | undefined {
  const [, dataCenter, number] = /^([a-z][a-z0-9-]*)-c([1-9]\d{0,17})$/u.exec(text) ?? [];
  if (dataCenter === undefined || number === undefined) return undefined;
  return { dataCenter, postponementId: BigInt(number) };
}
