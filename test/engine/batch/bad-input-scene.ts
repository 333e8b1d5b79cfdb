// Cells and fleets that are dropped after each test.
import { createTestCell, type TestCell, type TestCellOptions } from '../../support/cell.js';

export const dropped: (() => Promise<unknown>)[] = [];

export async function dropAll(): Promise<void> {
  for (const drop of dropped.splice(0).reverse()) await drop();
}

export async function makeCell(options: TestCellOptions = {}): Promise<TestCell> {
  const cell = await createTestCell(options);
  dropped.push(cell.drop);
  return cell;
}
