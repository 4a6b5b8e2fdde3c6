package bench.kafka;

import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.functions.AggregateFunction;
import org.apache.flink.connector.base.DeliveryGuarantee;
import org.apache.flink.connector.kafka.sink.KafkaRecordSerializationSchema;
import org.apache.flink.connector.kafka.sink.KafkaSink;
import org.apache.flink.connector.kafka.source.KafkaSource;
import org.apache.flink.connector.kafka.source.enumerator.initializer.OffsetsInitializer;
import org.apache.flink.formats.json.JsonDeserializationSchema;
import org.apache.flink.formats.json.JsonSerializationSchema;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.windowing.ProcessWindowFunction;
import org.apache.flink.streaming.api.windowing.assigners.TumblingEventTimeWindows;
import org.apache.flink.streaming.api.windowing.windows.TimeWindow;
import org.apache.flink.util.Collector;

/**
 * The job "exactly-once" of bench/jobs/kafka-jobs.ts as a user of Flink writes it: a topic of JSON, counts and sums by key in windows of 5 s, exactly once into another.
 * Runs twice, the first time to warm up: --servers S --input TOPIC --warm TOPIC --output TOPIC --records N [--reuse true]
 */
public class KafkaExactlyOnce {
    public static class Event {
        public long ts;
        public long key;
        public long value;
        public String payload;
    }

    public static class Totals {
        public long key;
        public long start;
        public long count;
        public long sum;
    }

    static class CountSum implements AggregateFunction<Event, Totals, Totals> {
        public Totals createAccumulator() { return new Totals(); }

        public Totals add(Event event, Totals totals) {
            totals.count++;
            totals.sum += event.value;
            return totals;
        }

        public Totals getResult(Totals totals) { return totals; }

        public Totals merge(Totals a, Totals b) {
            a.count += b.count;
            a.sum += b.sum;
            return a;
        }
    }

    static class WithKey extends ProcessWindowFunction<Totals, Totals, Long, TimeWindow> {
        public void process(Long key, Context context, Iterable<Totals> found, Collector<Totals> out) {
            for (Totals totals : found) {
                totals.key = key;
                totals.start = context.window().getStart();
                out.collect(totals);
            }
        }
    }

    static void run(String name, Map<String, String> o, String output) throws Exception {
        StreamExecutionEnvironment env = StreamExecutionEnvironment.getExecutionEnvironment();
        if (Boolean.parseBoolean(o.get("reuse"))) env.getConfig().enableObjectReuse();
        KafkaSource<Event> source = KafkaSource.<Event>builder()
                .setBootstrapServers(o.get("servers")).setTopics(o.get("input"))
                .setStartingOffsets(OffsetsInitializer.earliest()).setBounded(OffsetsInitializer.latest())
                .setValueOnlyDeserializer(new JsonDeserializationSchema<>(Event.class)).build();
        KafkaSink<Totals> sink = KafkaSink.<Totals>builder()
                .setBootstrapServers(o.get("servers"))
                .setRecordSerializer(KafkaRecordSerializationSchema.<Totals>builder().setTopic(output)
                        .setKeySerializationSchema((Totals t) -> Long.toString(t.key).getBytes(StandardCharsets.UTF_8))
                        .setValueSerializationSchema(new JsonSerializationSchema<Totals>()).build())
                .setDeliveryGuarantee(DeliveryGuarantee.EXACTLY_ONCE).setTransactionalIdPrefix(output)
                .setProperty("transaction.timeout.ms", "600000").build();
        env.fromSource(source, WatermarkStrategy.<Event>forMonotonousTimestamps().withTimestampAssigner((e, t) -> e.ts), "events")
                .keyBy(e -> e.key)
                .window(TumblingEventTimeWindows.of(Duration.ofSeconds(5)))
                .aggregate(new CountSum(), new WithKey())
                .sinkTo(sink);
        env.execute(name);
    }

    public static void main(String[] args) throws Exception {
        Map<String, String> o = new HashMap<>();
        for (int i = 0; i < args.length; i += 2) o.put(args[i].substring(2), args[i + 1]);
        run("warm", o, o.get("warm"));
        run("run", o, o.get("output"));
        System.out.println("RESULT run records=" + o.get("records"));
    }
}
