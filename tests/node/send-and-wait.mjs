// Sends a file and waits for what comes of it: node send-and-wait.mjs INPUT-BUCKET FILE OUTPUT-BUCKET
// Nothing in here knows of a local cloud.
import {setTimeout as pause} from 'node:timers/promises';
import {basename} from 'node:path';
import {Storage} from '@google-cloud/storage';

const [input, file, output] = process.argv.slice(2);
const storage = new Storage();
const [sent] = await storage.bucket(input).upload(file);
const result = storage.bucket(output).file(`results/${basename(file)}.${sent.metadata.generation}.json`);
while (!(await result.exists())[0]) {
  await pause(200);
}
const [content] = await result.download();
console.log(String(content));
