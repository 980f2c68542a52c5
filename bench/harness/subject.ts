/** What is loaded and compared. */
import type { Post } from "./wrk.ts";

/** A server at work, with what it is asked. */
export interface Subject {
  readonly name: string;
  readonly url: string;
  readonly pid: number;
  /** Simultaneous connections, where they are not those of the effort. */
  readonly connections?: number;
  /** Makes requests, none like another. */
  posts(count: number): Promise<readonly Post[]>;
  stop(): Promise<void>;
}
