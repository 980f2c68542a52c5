/** What Linux knows of a process. */
import { readdirSync, readFileSync } from "node:fs";

/** Ticks of the clock in a second: USER_HZ, 100 on every Linux that Node runs on. */
const TICKS = 100;

/** CPU seconds of a process and its children so far, user and system, all threads. */
export function cpuSeconds(pid: number): number {
  return tree(pid).reduce((sum, one) => sum + ownCpuSeconds(one), 0);
}

/** Resident memory of a process and its children, in MB. */
export function residentMb(pid: number): number {
  const kilobytes = tree(pid).map((one) => Number(/^VmRSS:\s+(\d+)/m.exec(read(`/proc/${one}/status`))?.[1] ?? 0));
  return kilobytes.reduce((sum, one) => sum + one, 0) / 1_024;
}

function ownCpuSeconds(pid: number): number {
  // The name may hold spaces and brackets: what follows its last bracket is numbers.
  const fields = read(`/proc/${pid}/stat`)
    .replace(/^.*\) /s, "")
    .split(" ");
  const [user = 0, system = 0] = fields.slice(11, 13).map(Number);
  return (user + system) / TICKS;
}

function tree(pid: number): readonly number[] {
  const children = readdirSync(`/proc/${pid}/task`)
    .flatMap((thread) => read(`/proc/${pid}/task/${thread}/children`).split(" "))
    .filter((child) => child !== "")
    .map(Number);
  return [pid, ...children.flatMap(tree)];
}

function read(path: string): string {
  return readFileSync(path, "utf8");
}
