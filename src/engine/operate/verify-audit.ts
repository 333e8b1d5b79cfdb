// Proves that the audit is what was recorded: the chain from its first link to its head, as of one moment, against the
// heads that cells keep. Reads only, but for what a person accepts as lost.
import {
  type AcceptedCut,
  CHAIN_START,
  type ChainProof,
  isAcceptedCut,
  type KeptHead,
  verifyEnd,
  verifyPart,
} from '../../domain/operate/verify-chain.js';
import { RolloutError } from '../../kernel/rollout-error.js';
import { listAuditHeads } from '../../stores/cell/audit-heads.js';
import { appendAudit } from '../../stores/control/audit.js';
import { hasHead, listAcceptedCuts, listChain, readChainEnd } from '../../stores/control/audit-links.js';
import type { ControlTransaction } from '../../stores/control/control-database.js';
import { listDataCenters } from '../../stores/control/data-centers.js';
import { identifyPerson } from '../../stores/control/person.js';
import type { EngineContext } from '../context.js';

const PAGE = 2_000;

export type AuditProof = ChainProof & {
  /** Data centers whose cells were compared, and those whose cells could not be read. */
  readonly compared: readonly string[];
  readonly notCompared: readonly string[];
};

type AuditContext = Pick<EngineContext, 'control' | 'cells'>;

/** `heads`: those that somebody kept; the chain must have each of them, and each of what cells keep. */
export async function verifyAudit(context: AuditContext, heads: readonly KeptHead[]): Promise<AuditProof> {
  // before the chain is read: each of them is older than that
  const { kept, ...cells } = await listKeptHeads(context);
  const proof = await context.control.inTransaction(
    async (tx): Promise<ChainProof> => {
      const cuts = await listAcceptedCuts(tx);
      const wanted = [...heads, ...kept.filter((head) => !isAcceptedCut(cuts, head))];
      let state = CHAIN_START;
      for (let full = true; full; ) {
        const parts = await listChain(tx, state.link, PAGE);
        const within = wanted.filter(({ link }) => link > state.link && link <= lastOf(parts));
        for (const part of parts) {
          const next = verifyPart(state, part, within);
          if ('kind' in next) return next;
          state = next;
        }
        full = parts.length === PAGE;
      }
      return verifyEnd(state, { ...(await readChainEnd(tx)), heads: wanted });
    },
    { reads: 'one moment' },
  );
  return { ...proof, ...cells };
}

function lastOf(parts: Awaited<ReturnType<typeof listChain>>): bigint {
  const part = parts.at(-1);
  if (part === undefined) return 0n;
  return part.kind === 'link' ? part.link : part.last;
}

interface KeptHeads {
  readonly kept: readonly KeptHead[];
  readonly compared: readonly string[];
  readonly notCompared: readonly string[];
}

async function listKeptHeads({ control, cells }: AuditContext): Promise<KeptHeads> {
  const rows = await control.inTransaction(listDataCenters);
  const found = await Promise.all(
    rows.map(async ({ id }) => {
      try {
        const heads = await cells.get(id).inTransaction('state', listAuditHeads);
        return { id, heads: heads.map((head): KeptHead => ({ ...head, keptBy: id })) };
      } catch {
        return { id, heads: undefined };
      }
    }),
  );
  return {
    kept: found.flatMap(({ heads }) => heads ?? []),
    compared: found.filter(({ heads }) => heads !== undefined).map(({ id }) => id),
    notCompared: found.filter(({ heads }) => heads === undefined).map(({ id }) => id),
  };
}

/**
 * What control has lost of what cells keep heads of, as after it was restored from an older copy, and nobody has
 * accepted yet. Throws invalid_argument where it has lost nothing.
 */
export async function findAuditCut(context: AuditContext): Promise<AcceptedCut> {
  const { kept } = await listKeptHeads(context);
  return context.control.inTransaction((tx) => findCut(tx, kept));
}

/** A person accepts it, with what is lost by then. Throws as findAuditCut. */
export async function acceptAuditCut(
  context: AuditContext & Pick<EngineContext, 'actor'>,
  reason: string,
): Promise<AcceptedCut> {
  const { kept } = await listKeptHeads(context);
  return context.control.inTransaction(async (tx) => {
    await identifyPerson(tx, context.actor);
    const { from, to } = await findCut(tx, kept);
    await appendAudit(tx, { action: 'accept_audit_cut', reason, details: { from: String(from), to: String(to) } });
    return { from, to };
  });
}

async function findCut(tx: ControlTransaction, kept: readonly KeptHead[]): Promise<AcceptedCut> {
  const cuts = await listAcceptedCuts(tx);
  const lost: bigint[] = [];
  for (const head of kept) if (!isAcceptedCut(cuts, head) && !(await hasHead(tx, head))) lost.push(head.link);
  const [from, to] = [lost.reduce(lesserOf, lost[0] ?? 0n), lost.reduce(greaterOf, 0n)];
  if (lost.length > 0) return { from, to };
  throw new RolloutError('invalid_argument', {
    message: 'Control has every entry of the audit that cells keep heads of: there is nothing to accept.',
    next: 'Leave --accept-cut out.',
  });
}

const lesserOf = (one: bigint, other: bigint): bigint => (one < other ? one : other);
const greaterOf = (one: bigint, other: bigint): bigint => (one > other ? one : other);
