// What must hold at every moment of a simulated calendar. Names what does not.
import { SLOT_STAGES } from '../../src/domain/rollout/stage.js';
import type { DataCenter, World } from './world.js';

export function watch(world: World): readonly string[] {
  const inSlot = world.dataCenters.filter(({ stage }) => SLOT_STAGES.includes(stage));
  const open = world.dataCenters.filter(({ cell }) => cell.fence.state !== 'closed');
  const migrating = open.filter(({ cell }) => cell.fence.runId === cell.run?.runId);
  const maintained = open.filter(({ cell }) => cell.fence.runId === cell.maintenance?.runId);
  return [
    ...(inSlot.length > 1 ? ['two data centers are in the rollout slot'] : []),
    ...(migrating.length > 1 ? ['two fences are open for rollouts'] : []),
    ...(maintained.length > 1 ? ['two fences are open for maintenance'] : []),
    ...world.dataCenters.flatMap(watchCell),
  ];
}

function watchCell({ id, cell, stage }: DataCenter): readonly string[] {
  const { fence, frozen, gate } = cell;
  return [
    ...(fence.singleWrites && (fence.state !== 'closed' || frozen !== null)
      ? [`${id}: the change feed may write beside an open fence or a freeze`]
      : []),
    ...(stage === 'done' && fence.state !== 'closed' && fence.runId === cell.run?.runId
      ? [`${id}: done, and the fence of its rollout is open`]
      : []),
    ...(gate.sweptAt !== null && gate.latchedAt === null ? [`${id}: swept before it was latched`] : []),
  ];
}
