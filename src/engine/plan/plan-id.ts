// The name of a plan outside its cell: data center and number, e.g. `in-7`.

export const planName = (dataCenter: string, number: bigint): string => `${dataCenter}-${number}`;

/** Undefined for what cannot be the name of a plan. */
export function parsePlanName(text: string): { readonly dataCenter: string; readonly number: bigint } | undefined {
  const found = /^(?<dataCenter>.+)-(?<number>[1-9][0-9]{0,17})$/u.exec(text)?.groups;
  return found && { dataCenter: found.dataCenter ?? '', number: BigInt(found.number ?? '0') };
}
