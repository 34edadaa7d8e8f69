// What GitHub's toolkit writes for a mask and for an error with a title, for each line of standard input: a JSON array of
// title and message.
import { createInterface } from 'node:readline';
import { error, setSecret } from '@actions/core';

for await (const line of createInterface({ input: process.stdin })) {
  const [title, message] = JSON.parse(line);
  setSecret(message);
  error(message, { title });
}
