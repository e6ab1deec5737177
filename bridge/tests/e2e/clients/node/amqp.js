// amqplib: publishes COUNT confirmed messages to QUEUE and consumes them with a prefetch of 10.
// Prints one JSON line of what arrived.
const amqp = require('amqplib');

async function main([url, queue, count]) {
  const connection = await amqp.connect(url);
  const channel = await connection.createConfirmChannel();
  await channel.assertQueue(queue, { durable: true });
  await channel.assertExchange(queue + '-x', 'topic', { durable: true });
  await channel.bindQueue(queue, queue + '-x', 'n.#');
  for (let i = 0; i < count; i++) {
    channel.publish(queue + '-x', 'n.' + i, Buffer.from(String(i)),
      { persistent: true, messageId: 'm' + i, headers: { n: i, text: 'ü', none: null } });
  }
  await channel.waitForConfirms();
  await channel.prefetch(10);
  const got = [];
  await new Promise((resolve) => channel.consume(queue, (m) => {
    got.push([m.content.toString(), m.properties.messageId, m.properties.headers.n, m.fields.routingKey]);
    channel.ack(m);
    if (got.length === Number(count)) resolve();
  }));
  const { messageCount } = await channel.checkQueue(queue);
  await connection.close();
  console.log(JSON.stringify({ got, messageCount }));
}

main(process.argv.slice(2)).catch((e) => { console.error(e); process.exit(1); });
