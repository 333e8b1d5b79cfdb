// Whether the webhooks of the configuration can be told anything: what keeps a scheduler from starting is an error, a
// receiver that does not answer from here a warning, since schedulers may run elsewhere. Sends no message.
import { isRolloutError } from '../../kernel/rollout-error.js';
import { createFindingRecorder, type Finding, type FindingRecorder } from './finding.js';

/** A webhook of the configuration. */
export interface WebhookTarget {
  readonly name: string;
  /** `answers`, or the code of why not. Throws missing_environment_variable, invalid_config. */
  readonly reach: () => Promise<string>;
}

/** What is the case, after "webhook ops: ", and what to do. */
const FAILURES: Readonly<Record<string, { readonly found: string; readonly fix: string }>> = {
  unknown_host: {
    found: 'the host of its URL has no address',
    fix: 'Correct the host of its URL, or the DNS of this machine.',
  },
  tls_failed: {
    found: 'its host has no certificate that this machine trusts',
    fix: 'Correct the certificate of the receiver, or the host of its URL.',
  },
  timeout: { found: 'its host did not answer in 5 s', fix: 'Check its URL, the receiver, and firewalls on the way.' },
};
const NOT_REACHED = {
  found: 'its host takes no connection',
  fix: 'Check host and port of its URL, and that the receiver runs.',
};

export async function checkWebhookTargets(targets: readonly WebhookTarget[]): Promise<readonly Finding[]> {
  return Promise.all(
    targets.map((target) =>
      checkTarget(target, createFindingRecorder({ subject: 'webhooks', title: 'The webhooks' }, 'target')),
    ),
  );
}

async function checkTarget({ name, reach }: WebhookTarget, record: FindingRecorder): Promise<Finding> {
  try {
    const reached = await reach();
    if (reached === 'answers') return record.ok(`the host of webhook ${name} answers; no message was sent`);
    const { found, fix } = FAILURES[reached] ?? NOT_REACHED;
    return record.warning(`webhook ${name}: ${found}, as seen from this machine (${reached})`, fix);
  } catch (error) {
    // only the machines of schedulers need it
    if (isRolloutError(error, 'missing_environment_variable'))
      return record.warning(`webhook ${name} is not checked: ${error.message}`, error.advice, error.code);
    return record.failure(error);
  }
}
