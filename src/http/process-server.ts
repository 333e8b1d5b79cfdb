// What a process says of itself over HTTP, for orchestrators and Prometheus: /livez, /readyz, /metrics. Data centers,
// stages and codes only, so it needs no login; it changes nothing.
import { createServer, type Server } from 'node:http';
import type { Sample } from '../domain/metrics/metric.js';
import type { Clock } from '../kernel/clock.js';
import { isFromPage } from './from-page.js';
import { createMetricsText } from './render-metrics.js';

/** Something that the process needs and cannot use, with the error code. */
export interface NotReady {
  /** `control`, `queue`, `scheduler` where its ticks fail, or a data center. */
  readonly what: string;
  readonly code: string;
}

export interface ProcessServerOptions {
  readonly clock: Clock;
  /** What is not ready; asks the databases. */
  readonly listNotReady: () => Promise<readonly NotReady[]>;
  /** Asks the databases; answers in time, whatever is down. */
  readonly readSamples: () => Promise<readonly Sample[]>;
}

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly text: string;
}

/** However many ask: the databases are asked once in this time, in ms. */
const SHARED_MS = { ready: 1_000, metrics: 5_000 } as const;

const LOOPBACK = /^(::ffff:)?127\.|^::1$/u;

/** It does not listen yet. */
export function createProcessServer({ clock, listNotReady, readSamples }: ProcessServerOptions): Server {
  const notReady = share(clock, SHARED_MS.ready, listNotReady);
  const samples = share(clock, SHARED_MS.metrics, readSamples);
  const metrics = createMetricsText();
  const routes: Readonly<Record<string, () => Promise<Answer>>> = {
    // never asks a database: a restart would not mend one, and all processes would restart at once
    '/livez': async () => asJson(200, { alive: true }),
    '/readyz': async () => {
      const failing = await notReady();
      return asJson(failing.length === 0 ? 200 : 503, { ready: failing.length === 0, failing });
    },
    '/metrics': async () => ({ status: 200, type: metrics.contentType, text: await metrics.render(await samples()) }),
  };
  return createServer((request, response) => {
    const [path = ''] = (request.url ?? '').split('?');
    const isRead = request.method === 'GET' || request.method === 'HEAD';
    const route = isRead && Object.hasOwn(routes, path) ? routes[path] : undefined;
    // beyond the loopback, orchestrators ask by names that we do not know
    const isPage = LOOPBACK.test(request.socket.localAddress ?? '') && isFromPage(request);
    const answering = isPage
      ? Promise.resolve(asJson(403, { code: 'from_page' }))
      : (route?.() ?? Promise.resolve(asJson(isRead ? 404 : 405, { paths: Object.keys(routes) })));
    request.resume();
    void answering
      .catch(() => asJson(500, { code: 'internal' }))
      .then(({ status, type, text }) => {
        response.writeHead(status, {
          'Content-Type': type,
          'Cache-Control': 'no-store',
          'X-Content-Type-Options': 'nosniff',
        });
        response.end(request.method === 'HEAD' ? undefined : text);
      });
  });
}

const asJson = (status: number, document: unknown): Answer => ({
  status,
  type: 'application/json; charset=utf-8',
  text: `${JSON.stringify(document)}\n`,
});

/** One reading for all who ask while it runs, and for `ms` after it has begun. */
function share<T>(clock: Clock, ms: number, read: () => Promise<T>): () => Promise<T> {
  let last: { readonly beganMs: number; readonly reading: Promise<T> } | undefined;
  return () => {
    const nowMs = clock.now().getTime();
    // a clock that was set back must not keep an old answer
    const isFresh = last !== undefined && nowMs >= last.beganMs && nowMs < last.beganMs + ms;
    if (last === undefined || !isFresh) {
      const reading = read();
      last = { beganMs: nowMs, reading };
      reading.catch(() => {
        if (last?.reading === reading) last = undefined;
      });
    }
    return last.reading;
  };
}
