// Files of a person's, as the service takes them.

/** Names, media types, and bytes as base64. */
export const encoded = (files) => Promise.all(files.map(async (file) => (
  { name: file.name, mime_type: file.type || undefined, data_base64: await base64(file) })));

function base64(file) {
  return new Promise((done, failed) => {
    const reader = new FileReader();
    reader.onload = () => done(reader.result.slice(reader.result.indexOf(',') + 1));
    reader.onerror = () => failed(new Error(`${file.name} could not be read.`));
    reader.readAsDataURL(file);
  });
}
