// Makes the compiler report a missing case.

/** For the default of a switch over a union: does not compile while a case is missing. */
export function assertNever(value: never): never {
  throw new Error(`unreachable: ${JSON.stringify(value)}`);
}
