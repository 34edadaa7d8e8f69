// GitHub's own language service over an action.yml and workflows: what it would underline in an editor.
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { validate } from '@actions/languageservice';
import { TextDocument } from 'vscode-languageserver-textdocument';

let found = 0;
for (const path of process.argv.slice(2)) {
  // It tells the two apart by the name.
  const action = basename(path) === 'action.yml';
  const uri = action ? 'file:///action/action.yml' : `file:///.github/workflows/${basename(path)}`;
  const document = TextDocument.create(uri, 'yaml', 1, readFileSync(path, 'utf8'));
  for (const { range, message } of await validate(document, {})) {
    console.error(`${path}:${range.start.line + 1}:${range.start.character + 1}: ${message}`);
    found += 1;
  }
}
process.exit(found === 0 ? 0 : 1);
