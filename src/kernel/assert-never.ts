// Turns a forgotten case into an error of the compiler.

/** Makes a switch over a union total: the compiler refuses a forgotten member. */
export function assertNever(value: never): never {
  throw new Error(`unreachable: ${JSON.stringify(value)}`);
}
