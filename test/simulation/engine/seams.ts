// Where the engine meets the model: the bundle of the simulation asks here for each function of a store, and for what
// a test replaces. Product code knows nothing of it.
import { Transaction } from './database.js';

/** Stands for every function of the stores: whoever calls it gives what the real one takes. */
type AnyFunction = (...args: never[]) => unknown;

export const seams = {
  /** Statements by the name of the store function that they stand for. */
  stores: {} as Record<string, AnyFunction>,
  /** Functions of the engine that need a real server. */
  replaced: {} as Record<string, AnyFunction>,
  /** Nothing is planted and nothing left out: the common case, which asks for nothing more. */
  isPlain: true,
  /** Faults that are planted: each gets the function that it takes the place of. */
  planted: {} as Record<string, AnyFunction>,
  /** A function that the model is to lack, of those that it has. */
  left: undefined as string | undefined,
  /** Functions that were asked for a statement and that the model lacks: the engine may survive their error. */
  lacking: new Set<string>(),
};

export type PlantedFaults = Readonly<Record<string, AnyFunction>>;

/** The model alone has it. */
export const noFunction = (): never => {
  throw new TypeError('only the model has this function');
};

/** What the bundle calls in place of a function of `src/stores`; the real one only where it asks no database. */
export const callStore = (name: string, args: ArrayLike<unknown>, real: AnyFunction): unknown => {
  const known = name === seams.left ? undefined : seams.stores[name];
  const model = known ?? (args[0] instanceof Transaction ? lack(name) : real);
  const planted = seams.planted[name];
  return planted === undefined ? call(model, args) : call(planted, [model, ...Array.from(args)]);
};

const call = (work: AnyFunction, given: ArrayLike<unknown>): unknown => Reflect.apply(work, undefined, given);

function lack(name: string): never {
  seams.lacking.add(name);
  throw new TypeError(`the model has no ${name}`);
}

/**
 * What it calls in place of one of the domain or the engine.
 * @public
 */
export const callOther = (name: string, real: AnyFunction, args: ArrayLike<unknown>): unknown => {
  const used = seams.replaced[name] ?? real;
  const planted = seams.planted[name];
  return planted === undefined ? call(used, args) : call(planted, [used, ...Array.from(args)]);
};
