import type { ControllerSettings } from "./controller.ts";
import type { Outcome } from "./reconciler.ts";

/** Counts runs, for Prometheus. */
export interface ReconcileMetrics {
  /** For {@link ControllerSettings.onReconciled}. */
  readonly onReconciled: NonNullable<ControllerSettings["onReconciled"]>;
  /** `fiberlb_reconcile_total{result}` and `fiberlb_reconcile_seconds` in text format 0.0.4. */
  readonly render: () => string;
}

const BOUNDS_S = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** Figures from zero. */
export function createReconcileMetrics(): ReconcileMetrics {
  const total = new Map<Outcome["result"], number>();
  const buckets = BOUNDS_S.map(() => 0);
  let [sum, count] = [0, 0];
  return {
    onReconciled({ result, seconds }) {
      total.set(result, (total.get(result) ?? 0) + 1);
      sum += seconds;
      count += 1;
      BOUNDS_S.forEach((bound, index) => {
        if (seconds <= bound) buckets[index] = (buckets[index] ?? 0) + 1;
      });
    },
    render() {
      if (count === 0) return "";
      const name = "fiberlb_reconcile_seconds";
      return [
        "# HELP fiberlb_reconcile_total Looks at a Service by what they came to.",
        "# TYPE fiberlb_reconcile_total counter",
        ...[...total].map(([result, runs]) => `fiberlb_reconcile_total{result="${result}"} ${runs}`),
        `# HELP ${name} Time of a look at a Service and of what was done.`,
        `# TYPE ${name} histogram`,
        ...BOUNDS_S.map((bound, index) => `${name}_bucket{le="${bound}"} ${buckets[index]}`),
        `${name}_bucket{le="+Inf"} ${count}`,
        `${name}_sum ${sum}`,
        `${name}_count ${count}`,
        "",
      ].join("\n");
    },
  };
}
