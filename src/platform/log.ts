// The log: one event name and fields per line, as JSON on stderr. Never org ids, never a URL's password.
import { pino } from 'pino';
import type { Log } from '../kernel/log.js';
import { toPrintableJson } from '../kernel/printable.js';
import { readEnvironment } from './environment.js';

const LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;
/** How much is logged; the first logs everything. */
export type LogLevel = (typeof LEVELS)[number];

export interface LogOptions {
  /** Defaults to CREDIT_ROLLOUT_LOG, else `warn`. */
  readonly level?: LogLevel;
  /** Where lines go; stderr when left out. */
  readonly write?: (line: string) => void;
}

const URL_PASSWORD = /([a-z][a-z0-9+.-]*:\/\/[^\s:@/"]*):[^\s"]*@/gi;
const QUERY_PASSWORD = /([?&](?:password|passwd|pwd)=)[^&\s"]*/gi;

/** The text with the password of every URL in it replaced by `***`. */
function redactPasswords(text: string): string {
  return text.replace(URL_PASSWORD, '$1:***@').replace(QUERY_PASSWORD, '$1***');
}

/** Creates a log. An unknown CREDIT_ROLLOUT_LOG counts as `warn`. */
export function createLog(options: LogOptions = {}): Log {
  const level = options.level ?? LEVELS.find((known) => known === readEnvironment('CREDIT_ROLLOUT_LOG')) ?? 'warn';
  const { write } = options;
  const target = write === undefined ? pino.destination({ dest: 2, sync: true }) : { write };
  // the finished line is redacted, so that causes, stacks and nested fields are covered too
  const streamWrite = (line: string): string => toPrintableJson(redactPasswords(line));
  return wrap(pino({ level, base: { pid: process.pid }, hooks: { streamWrite } }, target));
}

function wrap(logger: pino.Logger): Log {
  return {
    debug: (event, fields = {}) => logger.debug({ event, ...fields }),
    info: (event, fields = {}) => logger.info({ event, ...fields }),
    warn: (event, fields = {}) => logger.warn({ event, ...fields }),
    error: (event, fields = {}) => logger.error({ event, ...fields }),
    child: (fields) => wrap(logger.child(fields)),
  };
}
