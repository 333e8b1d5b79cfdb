// Calls the functions of a side by their names: those of the stores, or those that the model has in their place.

type Rest<F> = F extends (tx: never, ...rest: infer Given) => unknown ? Given : never;
type Answer<F> = F extends (...given: never[]) => infer Given ? Awaited<Given> : never;

/** Asks for a function of `Stores` by its name, with what it takes after its transaction. */
export type Ask<Stores> = <Name extends keyof Stores & string>(
  name: Name,
  ...rest: Rest<Stores[Name]>
) => Promise<Answer<Stores[Name]>>;

/** `call` knows the functions of `Stores` by their names; they take the same and give the same. */
export const askBy = <Stores>(call: (name: string, rest: readonly unknown[]) => unknown): Ask<Stores> =>
  (async (name: string, ...rest: readonly unknown[]) => call(name, rest)) as Ask<Stores>;

export const askOf = <Stores>(functions: Readonly<Record<string, unknown>>, tx: unknown): Ask<Stores> =>
  askBy((name, rest) => {
    const found = functions[name];
    if (typeof found !== 'function') throw new TypeError(`nothing is called ${name}`);
    return found(tx, ...rest);
  });
