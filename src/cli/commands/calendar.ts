// `calendar`: what would happen when, per data center, local and UTC. Does nothing.

import { readCalendar } from '../../engine/operate/read-calendar.js';
import { withPrintableTexts } from '../../kernel/printable.js';
import { pickDataCenters } from '../arguments/choose-data-centers.js';
import { withProgram } from '../processes/with-program.js';
import type { CliSession } from '../terminal/session.js';
import { calendarDocument, showCalendar } from '../views/show-calendar.js';

export interface CalendarFlags {
  readonly from?: string;
  readonly to?: string;
  readonly dc?: readonly string[];
}

export function runCalendar(session: CliSession, { from, to, dc }: CalendarFlags): Promise<number> {
  return withProgram(session, { policy: 'warned' }, async ({ engine, config }) => {
    const dataCenters = pickDataCenters(config, dc);
    const calendar = await readCalendar(engine, { config, dataCenters, from, to });
    session.report(calendarDocument(calendar), showCalendar(withPrintableTexts(calendar), session));
    return 0;
  });
}
