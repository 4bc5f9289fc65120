import Messages
import RPC
import Testing

@Suite struct LoadGaugeTests {
    private func wait(for gauge: LoadGauge, until age: Duration) {
        while gauge.report.stepAge ?? .zero < age {}
    }

    @Test func `a step that gets on is not old, however long it takes`() {
        let gauge = LoadGauge()
        #expect(gauge.report.stepAge == nil)
        gauge.beginStep()
        // A pause of the whole test may come in between; then it is looked at again.
        var isYoung = false
        while !isYoung {
            wait(for: gauge, until: .milliseconds(20))
            gauge.progressStep()
            isYoung = gauge.report.stepAge ?? .seconds(1) < .milliseconds(20)
        }
        #expect(!gauge.report.isStuck(after: .milliseconds(20)))
        wait(for: gauge, until: .milliseconds(25))
        #expect(gauge.report.isStuck(after: .milliseconds(20)))
        gauge.endStep()
        #expect(gauge.report.stepAge == nil && gauge.report.steps == 1)
    }

    @Test func `one step that a pause made long does not hide that an engine is stuck`() {
        let gauge = LoadGauge(plainStep: .milliseconds(1))
        for expected in [1, 4, 16] {
            gauge.beginStep()
            wait(for: gauge, until: .milliseconds(20))
            gauge.endStep()
            #expect(gauge.report.slowestStep == .milliseconds(expected))
        }
    }
}
