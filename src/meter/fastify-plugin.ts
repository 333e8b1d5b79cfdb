// The meter as a plugin of Fastify: `app.register(meterPlugin, { meter, describeCall })`, after the authentication.
// Knows of Fastify only the few members that it uses, so that the package does not depend on it.
import type { ServerResponse } from 'node:http';
import { isRolloutError } from '../kernel/rollout-error.js';
import type { Meter } from './create-meter.js';
import { findBadCallStatus, type MeteredCall } from './metered-call.js';

/** What the plugin uses of a reply. */
interface MeteredReply {
  headers(values: Readonly<Record<string, string>>): unknown;
  code(status: number): MeteredReply;
  type(contentType: string): MeteredReply;
  send(body: string): unknown;
  readonly raw: ServerResponse;
}

interface HookedApp<R> {
  addHook(name: 'preHandler', hook: (request: R, reply: MeteredReply) => Promise<unknown>): unknown;
}

export interface MeterPluginOptions<R> {
  readonly meter: Meter;
  /** Which call a request is; undefined: one that is not metered. */
  readonly describeCall: (request: R) => MeteredCall | undefined;
}

export function meterPlugin<R>(app: HookedApp<R>, options: MeterPluginOptions<R>, done: () => void): void {
  app.addHook('preHandler', async (request, reply) => {
    const call = options.describeCall(request);
    if (call === undefined) return;
    const admission = await options.meter.acquire(call).catch((error: unknown) => {
      const status = findBadCallStatus(error);
      if (status === undefined || !isRolloutError(error)) throw error;
      return { type: 'about:blank', title: error.code, status, code: error.code, detail: error.message } as const;
    });
    if ('status' in admission)
      return reply.code(admission.status).type('application/problem+json').send(JSON.stringify(admission));
    reply.headers(admission.headers);
    // also when the client goes away before the end
    reply.raw.once('close', () => admission.release(reply.raw.statusCode));
    if (!admission.allowed)
      return reply.code(429).type('application/problem+json').send(JSON.stringify(admission.body));
  });
  done();
}

// its hook is for the routes of whoever registers it, not only for its own
Object.assign(meterPlugin, { [Symbol.for('skip-override')]: true });
