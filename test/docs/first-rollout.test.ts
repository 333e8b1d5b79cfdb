// The first-rollout tutorial, command by command, on the built program with an embedded server of its own.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createProjectCopy, type ProjectCopy } from '../../scripts/docs/project-copy.js';
import { findMissing, parseConsole, type ShownCommand, toPattern } from './console-block.js';
import { listCode, readDocument } from './read-document.js';

const text = await readDocument('docs/tutorial/first-rollout.md');
const commands = parseConsole(listCode(text, 'console'));

describe('docs/tutorial/first-rollout.md', () => {
  test('explains in its first screen what a credit is, and that a credit is not a call', () => {
    const screen = text.split('\n').slice(0, 25).join(' ');
    expect(screen).toContain('What is a credit?');
    expect(screen).toContain('A credit is not a call.');
    expect(screen).toContain('3 to 100 credits');
  });

  describe('its commands', () => {
    let copy: ProjectCopy;
    beforeAll(async () => {
      copy = await createProjectCopy();
    }, 180_000);
    afterAll(() => copy.remove());

    /** One after the other: each goes on from what the one before has done. */
    test.each(commands)('$text', { timeout: 300_000 }, async ({ args, shown }: ShownCommand) => {
      const { code, output } = await copy.run(...args);
      expect(findMissing(shown, output), output).toEqual([]);
      expect(output).toMatch(toPattern(shown));
      expect(code).toBe(shown.some((line) => line.startsWith('error [same_person]')) ? 7 : 0);
    });
  });
});
