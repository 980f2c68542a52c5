import { Document, isMap, isSeq } from "yaml";
import type { Organization } from "../directory/types.ts";
import { type Entry, toFile } from "./convert.ts";

/** The file's content as data: what {@link exportOrganization} writes. */
export function organizationDocument(organization: Organization): Entry {
  return {
    ...(organization.name === "" ? {} : { name: organization.name }),
    ...(organization.tenant === undefined ? {} : { tenant: organization.tenant }),
    ...(organization.demo ? { demo: true } : {}),
    people: byId(organization.people).map(toFile.person),
    agents: byId(organization.agents).map(toFile.agent),
    apps: byId(organization.apps).map(toFile.app),
    connections: byId(organization.connections).map(toFile.connection),
  };
}

/**
 * An organization as a file that reads back into it: the same text for the same organization, entries by id. Literal
 * secrets are not in it: `{ unchanged: true }` stands for them, which `plan` and `apply` resolve against the running server.
 */
export function exportOrganization(organization: Organization): string {
  const document = new Document(organizationDocument(organization), { aliasDuplicateObjects: false });
  document.commentBefore =
    " yaml-language-server: $schema=./organization.schema.json\n (`credence schema > organization.schema.json` writes that file, and editors complete this one.)";
  if (isMap(document.contents)) {
    for (const { value } of document.contents.items) if (isSeq(value)) value.flow = value.items.length === 0;
  }
  return document.toString({ lineWidth: 0 });
}

function byId<T extends { readonly id: string }>(nouns: readonly T[]): T[] {
  return [...nouns].sort((a, b) => (a.id < b.id ? -1 : 1));
}
