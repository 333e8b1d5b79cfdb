// The only place that reads the process environment. Never stores, prints or changes what it reads.

/** The value of an environment variable; undefined when it is unset or empty. */
export function readEnvironment(name: string): string | undefined {
  // not what every object has, such as `constructor`
  const value = Object.hasOwn(process.env, name) ? process.env[name] : undefined;
  return value === '' ? undefined : value;
}
