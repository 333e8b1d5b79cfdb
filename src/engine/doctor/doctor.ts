// `doctor`: looks at everything a rollout stands on and says what is wrong and the fix. Changes nothing, never throws.
import type { DataCenterConfig, RolloutConfig } from '../../domain/config/rollout-config.js';
import type { RateCard } from '../../domain/rate-card/rate-card.js';
import { checkRateCard } from '../../domain/rate-card-check/check-rate-card.js';
import type { EngineContext } from '../context.js';
import { checkCell } from './check-cell.js';
import { checkControl, checkMoves } from './check-control.js';
import { createFindingRecorder, type Finding } from './finding.js';

export interface DoctorRequest {
  readonly config: RolloutConfig;
  /** The card, or what loads it: a card that cannot be loaded is a finding and hides nothing else. */
  readonly card: RateCard | (() => Promise<RateCard>);
  /** The data centers to look at. */
  readonly dataCenters: readonly DataCenterConfig[];
  /** Resolves where the queue can be used; rejects with queue_unreachable, queue_pooled and the like. */
  readonly queueCheck: () => Promise<void>;
}

/** Findings on control, queue, rate card, then every data center in rollout order; the good ones included. */
export async function runChecks(
  context: Pick<EngineContext, 'control' | 'cells' | 'clock'>,
  request: DoctorRequest,
): Promise<readonly Finding[]> {
  const { config, dataCenters } = request;
  const [control, moves, queue, { card, findings }] = await Promise.all([
    checkControl(context, request),
    checkMoves(context),
    checkQueue(request),
    checkCard(request.card),
  ]);
  const cells = await Promise.all(dataCenters.map((dataCenter) => checkCell(context, { dataCenter, config, card })));
  return [...control, ...moves, ...queue, ...findings, ...cells.flat()];
}

async function checkQueue({ config, queueCheck }: DoctorRequest): Promise<readonly Finding[]> {
  const recorder = createFindingRecorder('queue', 'The queue');
  return recorder.run('connection', async () => {
    await queueCheck();
    return [
      recorder.ok('connection', config.queue === undefined ? 'the control database, for `up` only' : 'reachable'),
    ];
  });
}

async function checkCard(
  given: DoctorRequest['card'],
): Promise<{ readonly card: RateCard | undefined; readonly findings: readonly Finding[] }> {
  const recorder = createFindingRecorder('rate card', 'The rate card');
  try {
    const card = typeof given === 'function' ? await given() : given;
    const failed = checkRateCard(card);
    const cases = failed.map(({ message }) =>
      recorder.error('golden cases', message, 'Correct the card or the case.', 'rate_card_case_failed'),
    );
    const good = recorder.ok('golden cases', `${card.name} ${card.hash}: ${card.cases.length} cases come out`);
    return { card, findings: failed.length === 0 ? [good] : cases };
  } catch (error) {
    return { card: undefined, findings: [recorder.failure('readable', error)] };
  }
}
