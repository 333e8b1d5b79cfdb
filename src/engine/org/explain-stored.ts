// Explains a stored allotment by deciding it once more from what is stored. Never guesses: what does not follow from
// the stored inputs, the rate card and the row before is reported as not provable.
import type { Allotment } from '../../domain/org/allotment.js';
import { assessOrg } from '../../domain/org/assess-org.js';
import { type DecidedOrg, decideOrg, type OrgQuestion } from '../../domain/org/decide-org.js';
import { explainDecision } from '../../domain/org/explain-org.js';
import type { RateCard } from '../../domain/rate-card/rate-card.js';
import { formatCredits } from '../../kernel/format-credits.js';
import type { AllotmentChange, OrgRecord, StoredOrg } from '../../stores/cell/org/orgs.js';
import { listDifferences } from './list-differences.js';
import { isRetirement } from './recompute-org.js';

export interface StoredQuestion {
  readonly stored: StoredOrg;
  readonly record: OrgRecord;
  /** The card of the stored row; undefined when the cell does not hold it. */
  readonly card: RateCard | undefined;
  /** From the source now; null when the org has left it or the column is null. */
  readonly createdAt: Date | null;
  readonly lapseGraceDays: number;
}

/** Lines about a stored row, in the words of the domain. */
export function explainStored(question: StoredQuestion): readonly string[] {
  const { stored, card } = question;
  if (card === undefined) return notProvable(stored, `rate card ${stored.rateCard} is not in this cell`);
  const broken = findBrokenTerms(stored.allotment, card);
  if (broken.length > 0)
    return notProvable(stored, `${broken.join(', ')} do not follow from the stored inputs${lastChange(question)}`);
  const because = explainFloor(question, card);
  return explainDecision(
    { kind: 'decided', allotment: stored.allotment, movement: 'same', proposedFloor: null, because },
    card,
  );
}

const notProvable = ({ allotment }: StoredOrg, why: string): readonly string[] => [
  `not provable: ${why}.`,
  `stored total ${formatCredits(allotment.totalCredits)} credits a day, floor ` +
    `${allotment.floor === null ? 'none' : formatCredits(allotment.floor)}`,
];

const lastChange = ({ record }: StoredQuestion): string => {
  const [change] = record.history;
  return change === undefined ? '' : `; the last recorded change has the cause "${change.cause}"`;
};

/** The terms that the card does not give on the stored inputs and the stored floor, by column name. */
function findBrokenTerms(stored: Allotment, card: RateCard): readonly string[] {
  const terms = assessOrg({ ...stored, createdAt: ANY_DATE, duplicated: false }, card);
  if (terms.kind === 'undecidable') return [`the terms (${terms.reason})`];
  const missing = stored.paid && stored.floor !== null ? stored.floor - terms.planCredits : 0n;
  const grandfatheredCredits = missing > 0n ? missing : 0n;
  const { baseCredits, variableCredits, legacyLimit, concurrencyLimit, planCredits } = terms;
  const expected: Allotment = {
    ...stored,
    ...{ baseCredits, variableCredits, legacyLimit, concurrencyLimit, grandfatheredCredits },
    totalCredits: planCredits + grandfatheredCredits + stored.additionalCredits,
    winner: grandfatheredCredits > 0n ? 'legacy' : 'credits',
  };
  return listDifferences(stored, expected).map(({ column }) => column);
}

const ANY_DATE = new Date(0);
/** Before and after every cut-over: where both give the same decision, the missing date does not matter. */
const EXTREMES = [new Date(-8.64e15), new Date(8.64e15)] as const;

function explainFloor(question: StoredQuestion, card: RateCard): readonly string[] {
  const prior = findPrior(question);
  if (prior === undefined) return ['not provable: the row before its last change is not recorded.'];
  const known = question.record.signUp !== null || question.createdAt !== null;
  const [decision, other] = (known ? [question.createdAt ?? ANY_DATE] : EXTREMES).map((createdAt) =>
    decideOrg(toQuestionThen(question, card, prior?.before ?? null, createdAt)),
  );
  if (decision?.kind !== 'decided') return [`not provable: the rule does not decide these inputs.`];
  if (other?.kind === 'decided' && !isSameDecision(decision, other))
    return ['not provable: when it signed up is not known, since it left the source.'];
  if (listDifferences(question.stored.allotment, decision.allotment).length === 0) return decision.because;
  const { override, history } = question.record;
  if (override !== null && history[0]?.cause === 'override')
    return [`Its floor was set by ${override.author} and approved by ${override.approver}: ${override.reason}`];
  return [`not provable: the rule would not give this floor${lastChange(question)}.`];
}

const isSameDecision = (one: DecidedOrg, other: DecidedOrg): boolean =>
  listDifferences(one.allotment, other.allotment).length === 0 && one.because.join() === other.because.join();

/** The row before the last decision: null for a first one; undefined when it should be recorded and is not. */
function findPrior({ stored, record }: StoredQuestion): AllotmentChange | null | undefined {
  const [newest] = record.history;
  if (stored.version === 1) return newest !== undefined && isRetirement(newest) ? newest : null;
  return record.history.find((change) => change.operation === 'update' && change.version === stored.version - 1);
}

/** The question that was decided then: the stored inputs, the gate and the local date of that time. */
function toQuestionThen(
  { stored, record, lapseGraceDays }: StoredQuestion,
  card: RateCard,
  prior: Allotment | null,
  createdAt: Date,
): OrgQuestion {
  const { signUp, reversals } = record;
  const then = stored.computedAt.getTime();
  // the cut-over of that time may have been reversed since
  const { armedAt, effectiveAt, sweptAt } =
    reversals.find(({ reversedAt }) => reversedAt.getTime() > then) ?? record.gate;
  const hadCome = (at: Date | null): boolean => at !== null && at.getTime() <= then;
  return {
    inputs: { ...stored.allotment, createdAt, duplicated: false },
    card,
    prior,
    gate: {
      effectiveAt: hadCome(armedAt) ? effectiveAt : null,
      sweptAt: hadCome(sweptAt) ? sweptAt : null,
      decidedAt: signUp?.decidedAt ?? null,
      model: signUp?.model ?? null,
      reversedPeriods: reversals.filter(({ reversedAt }) => reversedAt.getTime() <= then),
    },
    today: stored.computedOn,
    lapseGraceDays,
  };
}
