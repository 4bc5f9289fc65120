import Autograd
import Foundation
import JSON
import Tensors
import Testing
import Training

/// Steps and schedules as PyTorch 2.13 and transformers 5.23 compute them (`Goldens/optimizer.json`, which
/// `make_optimizer_goldens.py` wrote).
struct OptimizerTests {
    private struct Golden: Decodable {
        struct Run: Decodable {
            var options: [String: Double]
            var betas: [Double]
            var parameters: [[Double]]
            var momentum: [Double]
            var variance: [Double]
        }
        struct Schedule: Decodable {
            var shape: LearningRateSchedule.Shape
            var warmUp: Int
            var total: Int
            var factors: [Double]
        }
        struct Clip: Decodable {
            var gradients: [[Double]]
            var limit: Double
            var norm: Double
            var clipped: [[Double]]
        }
        var start: [Double]
        var runs: [Run]
        var schedules: [Schedule]
        var clips: [Clip]
    }

    private let golden: Golden

    init() throws {
        let url = try #require(Bundle.module.url(forResource: "Goldens/optimizer", withExtension: "json"))
        golden = try JSONDecoder().decode(Golden.self, from: Data(contentsOf: url))
    }

    private func isClose(_ x: Float, _ y: Double, _ tolerance: Double = 2e-6) -> Bool {
        abs(Double(x) - y) <= tolerance * (1e-3 + abs(y))
    }

    @Test("AdamW makes PyTorch's steps, and the same bits on every instruction set")
    func adamW() throws {
        for run in golden.runs {
            var bits: [[UInt32]] = []
            for set in Device.InstructionSet.available {
                let device = Device(threadCount: 2, instructionSet: set)
                let parameter = try Parameter(
                    "p", try Tensor(golden.start.map { Float($0) }, shape: [golden.start.count]))
                var configuration = AdamW.Configuration()
                configuration.learningRate = run.options["lr"] ?? 0
                configuration.weightDecay = run.options["weight_decay"] ?? 0.01
                configuration.epsilon = run.options["eps"] ?? 1e-8
                (configuration.beta1, configuration.beta2, configuration.clip) = (run.betas[0], run.betas[1], 0)
                var optimizer = try AdamW(configuration, [parameter])
                for (step, expected) in run.parameters.enumerated() {
                    parameter.gradient.write(
                        (0..<parameter.value.count).map { i in
                            i == 2 ? 1e-9 : Float(0.5 * Double(parameter.value[i]) + sin(Double(step + i)) / 4)
                        })
                    optimizer.step([parameter], norm: 1, factor: 1, on: device)
                    for i in 0..<expected.count {
                        #expect(isClose(parameter.value[i], expected[i], 3e-5), "step \(step), parameter \(i), \(set)")
                    }
                    #expect(parameter.gradient.floats.allSatisfy { $0 == 0 })
                }
                for i in 0..<run.momentum.count {
                    #expect(isClose(optimizer.moments[0].momentum[i], run.momentum[i], 1e-4))
                    #expect(abs(Double(optimizer.moments[0].variance[i]) / run.variance[i] - 1) < 1e-4)
                }
                bits.append(parameter.value.floats.map(\.bitPattern))
            }
            #expect(bits.allSatisfy { $0 == bits[0] })
        }
    }

    @Test("The learning rate follows transformers' schedules")
    func schedules() {
        for schedule in golden.schedules {
            let own = LearningRateSchedule(schedule.shape, warmUp: schedule.warmUp, total: schedule.total)
            for (step, factor) in schedule.factors.enumerated() {
                #expect(abs(own.factor(step: step) - factor) < 1e-12, "\(schedule.shape) at \(step)")
            }
        }
    }

    @Test("Gradients are clipped by their norm together, as PyTorch clips them")
    func clipping() throws {
        let device = Device(threadCount: 2)
        for clip in golden.clips {
            let parameters = try clip.gradients.map { gradient in
                let parameter = try Parameter("p", try Tensor(zeros: [gradient.count]))
                parameter.gradient.write(gradient.map { Float($0) })
                return parameter
            }
            let norm = AdamW.gradientNorm(parameters, on: device)
            #expect(abs(norm / clip.norm - 1) < 1e-6)
            // After the first step the momentum is (1 − β1) times the clipped gradient.
            var configuration = AdamW.Configuration()
            (configuration.clip, configuration.beta1) = (clip.limit, 0.75)
            var optimizer = try AdamW(configuration, parameters)
            optimizer.step(parameters, norm: norm, factor: 1, on: device)
            for (moments, expected) in zip(optimizer.moments, clip.clipped) {
                for i in 0..<expected.count { #expect(isClose(4 * moments.momentum[i], expected[i])) }
            }
        }
    }
}
