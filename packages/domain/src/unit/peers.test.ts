import { describe, expect, it } from "vitest";
import { parseUnitFile } from "./file.ts";
import { missingLeaders, peerFindings, peersOf } from "./peers.ts";

/** A service with lines for [Unit], and for [X-Fleet]. */
const service = (unit = "", fleet = ""): string =>
  `[Unit]\n${unit}\n[Service]\nExecStart=/bin/a\n[X-Fleet]\n${fleet}\n`;
const found = (name: string, texts: Readonly<Record<string, string>>): readonly string[] => {
  const units = new Map(Object.entries(texts).map(([unit, text]) => [unit, parseUnitFile(text)]));
  return peerFindings(name, units).map(({ message }) => message);
};
const B = { "b.service": service() };

it("the units that a unit names are those of every option that says something of another one", () => {
  const names = (name: string, text: string) => [...peersOf(name, parseUnitFile(text))].sort();
  expect(
    names("a@1.service", service("Requires=b@%i.service\nAfter=c.target a@1.service", "MachineOf=d.service")),
  ).toEqual([...["b@1.service", "c.target", "d.service"]]);
  expect(names("a.timer", "[Timer]\nOnCalendar=daily\n")).toEqual(["a.service"]);
});
describe("a unit that follows one that there is not", () => {
  const missing = (name: string, texts: Readonly<Record<string, string>>) =>
    missingLeaders(name, new Map(Object.entries(texts).map(([unit, text]) => [unit, parseUnitFile(text)])));
  it("is pointed out", () => {
    expect(missing("a.service", { "a.service": service("", "MachineOf=b.service c.service"), ...B })).toMatchObject([
      { message: "MachineOf=c.service is not in the cluster: the unit is pending until that is scheduled" },
    ]);
  });
  it("is left to the linter where what it follows is no name", () => {
    expect(missing("a.service", { "a.service": service("", "MachineOf=foo") })).toEqual([]);
  });
  it("is not where it is a template, whose instances may follow others", () => {
    expect(missing("a@.service", { "a@.service": service("", "MachineOf=b@%i.service") })).toEqual([]);
  });
});
describe("what a unit says of another one of the cluster", () => {
  it.each([
    ["Requires=b.service", ", and without it systemd will not start the unit"],
    ["BindsTo=x.service b.service", ", and without it systemd will not start the unit"],
    ["Wants=b.service", ", and has no effect elsewhere"],
    ["After=b.service", ", and has no effect elsewhere"],
  ])("is pointed out where nothing brings that to its machine: %s", (line, what) => {
    const option = line.split("=")[0];
    expect(found("a.service", { "a.service": service(line), ...B })).toEqual([
      `${option}=b.service, but nothing brings b.service to its machine${what}: add MachineOf=b.service to [X-Fleet]`,
    ]);
  });
  it("is pointed out once for each", () => {
    const text = service("Requires=b.service\nAfter=b.service c.service");
    expect(found("a.service", { "a.service": text, ...B, "c.service": service() })).toHaveLength(2);
  });
  it.each([
    ["it follows that", "Requires=b.service", "MachineOf=b.service", service()],
    ["that follows it", "Requires=b.service", "", service("", "MachineOf=a.service")],
    ["both follow another", "Requires=b.service", "MachineOf=c.service", service("", "MachineOf=c.service")],
    ["both go to one machine", "Requires=b.service", "MachineID=m1", service("", "MachineID=m1")],
    ["that runs everywhere", "Requires=b.service", "", service("", "Global=true")],
    ["it takes it back", "Requires=b.service\nRequires=", "", service()],
    ["it names itself", "After=a.service", "", service()],
    ["it names what the machines have", "Requires=docker.service\nAfter=network-online.target", "", service()],
  ])("is fine where %s", (_when, unit, fleet, other) => {
    expect(found("a.service", { "a.service": service(unit, fleet), "b.service": other })).toEqual([]);
  });
  it("is pointed out where that runs on some machines only", () => {
    const texts = {
      "a.service": service("Requires=b.service"),
      "b.service": service("", "Global=true\nMachineMetadata=a=1"),
    };
    expect(found("a.service", texts)).toHaveLength(1);
  });
  it("goes by the instance that it is", () => {
    const texts = {
      "a@1.service": service("BindsTo=b@%i.service"),
      "b@1.service": service(),
      "b@2.service": service(),
    };
    expect(found("a@1.service", texts)[0]).toContain("BindsTo=b@1.service, but nothing brings b@1.service");
  });
});

describe("what a unit starts", () => {
  const START = "and there is nothing to start elsewhere: add MachineOf=";
  it.each([
    ["a.timer", "[Timer]\nOnCalendar=daily\n", "a.service"],
    ["x.timer", "[Timer]\nOnCalendar=daily\nUnit=b.service\n", "b.service"],
    ["a.path", "[Path]\nPathExists=/a\n", "a.service"],
    ["a.socket", "[Socket]\nListenStream=5\n", "a.service"],
    ["a.socket", "[Socket]\nListenStream=5\nService=b.service\n", "b.service"],
  ])("%s with %j has to be on its machine: %s", (name, text, started) => {
    const others = { "a.service": service(), "a@.service": service(), ...B };
    expect(found(name, { ...others, [name]: text })).toEqual([
      `it starts ${started}, but nothing brings ${started} to its machine, ${START}${started} to [X-Fleet]`,
    ]);
    expect(found(name, { ...others, [name]: `${text}[X-Fleet]\nMachineOf=${started}\n` })).toEqual([]);
  });
  it("is not spoken of where each connection starts an instance", () => {
    const text = "[Socket]\nListenStream=5\nAccept=yes\n";
    expect(found("a.socket", { "a.socket": text, "a.service": service(), "a@.service": service() })).toEqual([]);
  });
});
