// Runs a client that others wrote through a whole visit; prints what it saw as one JSON line.
//   node voyage.cjs fms-api-client|fm-data-api-client URL DATABASE ACCOUNT PASSWORD
'use strict';

const crypto = require('node:crypto');

const [kind, server, database, user, password] = process.argv.slice(2);
const LAYOUT = 'Photos';
const digest = (buffer) => crypto.createHash('sha256').update(buffer).digest('hex');

async function fmsApiClient() {
  const { connect } = require('marpat');
  const { Filemaker, containerData } = require('fms-api-client');
  await connect('nedb://memory');
  const client = Filemaker.create({ server, database, user, password, usage: false });
  await client.save();
  await client.login();
  const product = await client.productInfo();
  const databases = await client.databases();
  const layouts = await client.layouts();
  const metadata = await client.layout(LAYOUT);
  const list = await client.list(LAYOUT, { limit: 2, offset: 2 });
  const found = await client.find(LAYOUT, { Kind: '==Dorsal' }, { sort: [{ fieldName: 'id', sortOrder: 'descend' }] });
  const none = await client.find(LAYOUT, { Kind: '==no such kind' });
  const edited = await client.edit(LAYOUT, list.data[0].recordId, { Kind: 'Ventral' });
  const one = await client.get(LAYOUT, list.data[0].recordId);
  const files = await containerData(found.data, 'fieldData.photo', 'buffer', 'recordId');
  const uploaded = await client.upload({ name: 'new.txt', buffer: Buffer.from('from JavaScript') }, LAYOUT, 'photo', one.data[0].recordId);
  const fresh = await client.get(LAYOUT, one.data[0].recordId);
  const back = await containerData(fresh.data, 'fieldData.photo', 'buffer', 'recordId');
  const logout = await client.logout();
  return {
    product: product.name, databases: databases.databases.map((d) => d.name), layouts: layouts.layouts.map((l) => l.name),
    containers: metadata.fieldMetaData.filter((f) => f.result === 'container').map((f) => f.name),
    listed: list.data.map((r) => r.recordId), counts: list.dataInfo, found: found.data.map((r) => r.recordId),
    none: none.data, edited, kind: one.data[0].fieldData.Kind, sha256: files.map((f) => digest(f.buffer)),
    uploaded, back: back.map((f) => f.buffer.toString()), logout,
  };
}

async function fmDataApiClient() {
  const Client = require('fm-data-api-client').default || require('fm-data-api-client').Client;
  const client = new Client(server, encodeURIComponent(database), user, password);
  const layout = client.layout(LAYOUT);
  const list = await layout.range({ limit: 2, offset: 2 });
  const found = await layout.find({ Kind: '==Dorsal' }, { sort: { fieldName: 'id', sortOrder: 'descend' } });
  const none = await layout.find({ Kind: '==no such kind' }, {}, true);
  const edited = await layout.update(list.data[0].recordId, { Kind: 'Ventral' }, { modId: list.data[0].modId });
  const refused = await layout.update(list.data[0].recordId, { Kind: 'x' }, { modId: list.data[0].modId }).catch((e) => e.code);
  const one = await layout.get(list.data[0].recordId);
  await client.clearToken();
  return {
    listed: list.data.map((r) => r.recordId), found: found.data.map((r) => r.recordId), none: none.data, edited, refused,
    kind: one.data[0].fieldData.Kind,
  };
}

(kind === 'fms-api-client' ? fmsApiClient() : fmDataApiClient())
  .then((seen) => { console.log(JSON.stringify(seen)); process.exit(0); })
  .catch((error) => { console.error(error); process.exit(1); });
