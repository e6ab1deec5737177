// kafkajs: creates TOPIC with two partitions, produces COUNT messages (gzip, keys, headers), reads
// them in group TOPIC, and prints one JSON line of what arrived.
const { Kafka, CompressionTypes, logLevel } = require('kafkajs');

async function main([broker, topic, count]) {
  const kafka = new Kafka({ brokers: [broker], logLevel: logLevel.ERROR });
  const admin = kafka.admin();
  await admin.connect();
  await admin.createTopics({ topics: [{ topic, numPartitions: 2 }], waitForLeaders: true });
  const producer = kafka.producer({ idempotent: true, maxInFlightRequests: 1 });
  await producer.connect();
  const messages = Array.from({ length: Number(count) }, (_, i) => ({
    key: 'k' + i, value: i % 10 === 9 ? null : String(i), partition: i % 2, timestamp: String(1357034400000 + i),
    headers: { one: 'ü', many: ['a', 'b'] },
  }));
  await producer.send({ topic, messages, acks: -1, compression: CompressionTypes.GZIP });
  const consumer = kafka.consumer({ groupId: topic });
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  const got = [];
  await new Promise((resolve) => consumer.run({
    eachMessage: async ({ partition, message }) => {
      const { many, one } = message.headers;
      got.push([partition, message.key.toString(), message.value && message.value.toString(), message.timestamp,
        one.toString(), many.map(String)]);
      if (got.length === messages.length) resolve();
    },
  }));
  await consumer.disconnect();
  const [{ partitions }] = await admin.fetchOffsets({ groupId: topic, topics: [topic] });
  await producer.disconnect();
  await admin.disconnect();
  console.log(JSON.stringify({ got, committed: partitions.map((p) => p.offset).sort() }));
}

main(process.argv.slice(2)).catch((e) => { console.error(e); process.exit(1); });
