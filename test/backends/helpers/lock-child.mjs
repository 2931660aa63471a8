// A process that opens stores when it is told to: `node lock-child.mjs <bundle of backends/fs> [folder to open at once]`.
const [bundle, folderAtOnce] = process.argv.slice(2);
const { fsBackend } = await import(bundle);
let backend;

async function open(folder) {
  backend = fsBackend(folder);
  try {
    const { notes } = await backend.open('');
    return { opened: true, notes };
  } catch ({ code, message, owner }) {
    return { opened: false, code, message, owner };
  }
}

const commands = {
  open: ({ folder }) => open(folder),
  append: async ({ line, writer }) =>
    backend.append(new TextEncoder().encode(line), { writer, index: 0, hash: '' }, 'strict'),
  close: async () => backend.close(),
};

process.on('message', async (message) => {
  const answer = await commands[message.command](message);
  process.send({ ...answer });
});

if (folderAtOnce) {
  console.log(JSON.stringify({ pid: process.pid, ...(await open(folderAtOnce)) }));
  const parent = process.ppid;
  setInterval(() => process.ppid === parent || process.exit(), 500); // a test that fails leaves nothing behind
} else {
  process.send({ ready: true });
}
