import { describe, expect, it } from "vitest";
import { fakeClock } from "../../../../testbed/fake-clock.ts";
import { ChangeSignals } from "./change-signals.ts";

const clock = fakeClock();

function changeSignals(): { signals: ChangeSignals; asked: boolean[]; told: (string | null)[]; failures: string[] } {
  const asked: boolean[] = [];
  const told: (string | null)[] = [];
  const failures: string[] = [];
  const signals = new ChangeSignals({
    setListening: async (isListening) => {
      asked.push(isListening);
      if (failures.length > 0) throw new Error("refused");
    },
    onFailure: () => failures.push("closed"),
  });
  signals.onChanged((name) => told.push(name));
  return { signals, asked, told, failures };
}
const names = (count: number): readonly string[] => Array.from({ length: count }, (_, index) => `u${index}.service`);

describe("signals of changes", () => {
  it("are listened to while few units start", async () => {
    const { signals, asked, told } = changeSignals();
    for (const name of names(8)) signals.startBegins(name);
    signals.tell("u1.service");
    await clock.pass(60_000);
    expect([asked, told]).toEqual([[], ["u1.service"]]);
  });
  it("are not listened to while many start, and any unit may have changed once the last has", async () => {
    const { signals, asked, told } = changeSignals();
    for (const name of names(20)) signals.startBegins(name);
    expect(asked).toEqual([false]);
    for (const name of names(20)) signals.jobEnded(name);
    await clock.pass(99);
    expect(asked).toEqual([false]);
    await clock.pass(1);
    expect([asked, told]).toEqual([[false, true], [null]]);
    await clock.pass(60_000);
    expect(asked).toHaveLength(2);
  });
  it("are listened to again after two seconds, whatever still starts", async () => {
    const { signals, asked, told } = changeSignals();
    for (const name of names(20)) signals.startBegins(name);
    for (const name of names(19)) signals.jobEnded(name);
    await clock.pass(2_000);
    expect([asked, told]).toEqual([[false, true], [null]]);
    signals.jobEnded("u19.service");
    await clock.pass(60_000);
    expect(asked).toHaveLength(2);
  });
  it("are listened to again after two seconds, also where starts end and begin all the while", async () => {
    const { signals, asked } = changeSignals();
    for (let round = 0; round < 42; round++) {
      for (const name of names(20)) signals.startBegins(name);
      for (const name of names(20)) signals.jobEnded(name);
      await clock.pass(50);
    }
    expect(asked.slice(0, 2)).toEqual([false, true]);
    signals.close();
  });
  it("that can't be asked for leave the connection of no use", async () => {
    const { signals, failures } = changeSignals();
    failures.push("systemd refuses");
    for (const name of names(9)) signals.startBegins(name);
    await clock.pass(0);
    expect(failures).toEqual(["systemd refuses", "closed"]);
    signals.close();
  });
  it("are not asked for after the end", async () => {
    const { signals, asked } = changeSignals();
    for (const name of names(9)) signals.startBegins(name);
    signals.close();
    await clock.pass(60_000);
    expect(asked).toEqual([false]);
  });
});
