// The only place that reads the process environment. Never stores, prints or changes what it reads.

/** The value of an environment variable; undefined when it is unset or empty. */
export function readEnvironment(name: string): string | undefined {
  const value = process.env[name];
  return value === '' ? undefined : value;
}
