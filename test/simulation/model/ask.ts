// Calls the functions of a side by their names: those of the stores, or those that the model has in their place.

// biome-ignore lint/suspicious/noExplicitAny: the answer of every function of the stores
export type Ask = (name: string, ...args: readonly unknown[]) => Promise<any>;

export const askOf =
  (functions: Readonly<Record<string, unknown>>, tx: unknown): Ask =>
  (name, ...args) => {
    const found = functions[name];
    if (typeof found !== 'function') throw new TypeError(`nothing is called ${name}`);
    return found(tx, ...args);
  };
