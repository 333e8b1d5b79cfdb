// Bugs in what is written: the fence and freezes, batches and follow-ups, what is decided again under a lock, roles.
import { listBugs } from './list-bugs.mjs';

const DOORS = 'test/engine/batch/every-door.test.ts';
const SINCE = 'test/engine/plan/changed-since-plan.test.ts';
const MEANWHILE = 'test/engine/reconcile/changed-meanwhile.test.ts';
const BATCH = 'src/stores/cell/batch';
const M = 'migrations/cell';
const NOT_FROZEN = 'not exists (select from credit_rollout.freezes z where z.lifted_at is null)';
const FROZEN = 'exists (select from credit_rollout.freezes z where z.lifted_at is null)';

export const WRITES = [
  ...listBugs('fence', `${BATCH}/open-run.ts`, DOORS, {
    'a batch writes in a frozen cell': [`r.state = 'open' and not \${FROZEN}`, `r.state = 'open'`],
    'a batch writes under another epoch': [
      `f.state = 'open' and f.epoch = :epoch::bigint and r.state`,
      `f.state = 'open' and :epoch::bigint > 0 and r.state`,
    ],
    'a batch writes while it is verified': [`f.state = 'open' and f.epoch`, `f.state <> 'closed' and f.epoch`],
    'a batch writes for a run that is over': [` and r.state = 'open' and not`, ' and not'],
    'a batch writes on a server that started again': [
      '(pg_current_wal_insert_lsn()), 8) and ${OPENED_HERE}',
      '(pg_current_wal_insert_lsn()), 8)',
    ],
    'a batch writes after a failover': [
      '       and f.timeline = left(pg_walfile_name(pg_current_wal_insert_lsn()), 8) and ${OPENED_HERE}',
      '       and ${OPENED_HERE}',
    ],
    'a verification runs in a frozen cell': [
      `f.epoch = :epoch::bigint and not \${FROZEN} and \${OPENED_HERE}`,
      'f.epoch = :epoch::bigint and ${OPENED_HERE}',
    ],
    'a verification runs under an open fence': [`where f.state = 'verifying' and`, `where f.state <> 'closed' and`],
    'a verification runs after a failover': [
      '\n       and f.timeline = left(pg_walfile_name(pg_current_wal_insert_lsn()), 8)`',
      '`',
    ],
  }),
  ...listBugs('feed', 'src/stores/cell/feed/feed.ts', DOORS, {
    'it writes in a frozen cell': ['    and not ${FROZEN} as open,', '    as open,'],
    'it writes under an open fence': [`f.state = 'closed' and f.single_writes`, 'f.single_writes'],
    'it writes where single writes are not allowed': [
      `f.state = 'closed' and f.single_writes and`,
      `f.state = 'closed' and`,
    ],
    'it writes after a failover': [
      ` and f.timeline = left(pg_walfile_name(pg_current_wal_insert_lsn()), 8)\n    and not`,
      '\n    and not',
    ],
  }),
  ...listBugs('sign-ups', `${M}/sign-ups-together.ts`, DOORS, {
    'they are written in a frozen cell': [`\n  and ${NOT_FROZEN};\nend;`, ';\nend;'],
    'they are written under an open fence': [
      `select exists (select from credit_rollout.fence f where f.state = 'closed' and f.single_writes`,
      'select exists (select from credit_rollout.fence f where f.single_writes',
    ],
  }),
  ...listBugs('night', `${M}/fenced-repairs.ts`, DOORS, {
    'it retires in a frozen cell': [`\n    and ${NOT_FROZEN};\nend $$;`, ';\nend $$;'],
    'a rollout retires': [`\n        and (r.kind = 'reconcile' or r.kind = 'sweep' and not only_nights))`, ')'],
    'it retires under a closed fence': [`where f.state = 'open' and r.run_id = run`, 'where r.run_id = run'],
  }),
  ...listBugs('undo', `${M}/undo-runs.ts`, DOORS, {
    'it takes back in a frozen cell': [`\n      and ${NOT_FROZEN}\n      and not exists`, '\n      and not exists'],
    'it takes back while the gate is armed': [
      '\n      and not exists (select from credit_rollout.gate g where g.effective_at is not null));',
      ');',
    ],
    'it takes back under a closed fence': [`where f.state = 'open' and r.run_id = run`, 'where r.run_id = run'],
  }),
  ...listBugs('override', `${M}/override-role.ts`, DOORS, {
    'it is applied in a frozen cell': [
      `if ${FROZEN}\n     or exists (select from credit_rollout.fence`,
      'if exists (select from credit_rollout.fence',
    ],
    'it is applied under an open fence': [
      `     or exists (select from credit_rollout.fence f where f.state <> 'closed')\n`,
      '',
    ],
    'it is applied beside an open run': [
      `\n     or exists (select from credit_rollout.runs r where r.state = 'open') then\n    raise exception 'an override`,
      ` then\n    raise exception 'an override`,
    ],
  }),
  ...listBugs('repair', `${M}/repair.ts`, DOORS, {
    'it is applied in a frozen cell': [`if ${FROZEN}\n     or exists`, 'if exists'],
    'it is applied under an open fence': [
      `     or exists (select from credit_rollout.fence f where f.state <> 'closed')\n`,
      '',
    ],
    'it is applied beside an open run': [
      `\n     or exists (select from credit_rollout.runs r where r.state = 'open') then`,
      ' then',
    ],
  }),
  ...listBugs('roles', `${M}/written-numbers.ts`, DOORS, {
    'a worker writes in a frozen cell': [`if ${FROZEN}\n     or not exists`, 'if not exists'],
    'a worker inserts between runs': [`(tg_op <> 'UPDATE' or not exists`, `(not exists`],
    'a worker updates where single writes are not allowed': [
      'not exists (select from credit_rollout.fence f where f.single_writes))',
      'false)',
    ],
  }),
  ...listBugs('fence', `${M}/freeze.ts`, DOORS, {
    'it opens in a frozen cell': [
      `    raise exception 'the cell is frozen' using errcode`,
      `    raise notice 'the cell is frozen' using errcode`,
    ],
  }),
  ...listBugs('follow-up', `${BATCH}/planned-writes.ts`, SINCE, {
    'a protected org is written': [
      '  and not exists (select from credit_rollout.protected_orgs p where p.org_id = n.org_id)\n',
      '',
    ],
    'maxRaiseFactor is not asked': [
      `<= \${rail('maxRaiseFactor')}`,
      `<= 'infinity'::float8 + \${rail('maxRaiseFactor')}`,
    ],
    'floorOverPlan is not asked': [`<= \${rail('floorOverPlan')}`, `<= 'infinity'::float8 + \${rail('floorOverPlan')}`],
  }),
  ...listBugs('follow-up', `${M}/asked-again.ts`, SINCE, {
    'its ranges are not verified again': [
      `update credit_rollout.batches b set verified_at = null where b.run_id = run`,
      `update credit_rollout.batches b set verified_at = null where false and b.run_id = run`,
    ],
    'every range is verified again': [
      ` and exists (\n    select from credit_rollout.stale_orgs s`,
      ` or exists (\n    select from credit_rollout.stale_orgs s`,
    ],
  }),
  ...listBugs('apply', `${BATCH}/planned-writes.ts`, SINCE, {
    'a canary that has changed is written': ['on s.org_id = n.org_id and s.hash = n.hash', 'on s.org_id = n.org_id'],
    'an org that has changed is written': [
      '\n    and not exists (select from changed c where c.org_id = n.org_id)`)}',
      '`)}',
    ],
  }),
  ...listBugs('apply', 'src/engine/batch/write-batch.ts', SINCE, {
    'a range whose digest differs is written': ['found.digest === pin.digest && ', ''],
  }),
  ...listBugs('recheck', `${M}/source-role.ts`, MEANWHILE, {
    'an org that is back is retired': [
      '\n    where not exists (select from credit_rollout.source_orgs s where s.org_id = i)));',
      '));',
    ],
  }),
  ...listBugs('recheck', 'src/stores/cell/reconcile/repairs.ts', MEANWHILE, {
    'a raise that is a fall by now is written': [`or n.movement = 'fall' and \${MAY_FALL})`, `or n.movement = 'fall')`],
    'a finding that is a proposal by now is written': [` and q.outcome = 'to_heal'\n  left join`, '\n  left join'],
    'an org that is right again is written': [
      `('first', 'raise', 'inputs') or`,
      `('first', 'raise', 'inputs', 'same') or`,
    ],
  }),
];
