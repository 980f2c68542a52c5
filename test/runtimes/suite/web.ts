/** All that holds on every runtime: Web APIs, and nothing of Node. */
import type { Case } from "./case.ts";
import { chain } from "./chain.ts";
import { receiving } from "./receiver.ts";
import { wire } from "./wire.ts";

export const web: readonly Case[] = [...wire, ...receiving, ...chain];
