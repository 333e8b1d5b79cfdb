// What the program logs through. Never org ids, key bounds or secrets.

/** Ids of runs and batches, counts and reasons that go with an event. */
export type LogFields = Readonly<Record<string, unknown>>;

/** One event name and fields a line. An error belongs in the field `err`: its name, its code and where. */
export interface Log {
  debug(event: string, fields?: LogFields): void;
  info(event: string, fields?: LogFields): void;
  warn(event: string, fields?: LogFields): void;
  error(event: string, fields?: LogFields): void;
  /** The same log with fields that every line carries. */
  child(fields: LogFields): Log;
}
