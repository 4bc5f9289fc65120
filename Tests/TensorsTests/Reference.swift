import Foundation

@testable import Tensors

func exponential(_ x: Double) -> Double { exp(x) }
func hyperbolicTangent(_ x: Double) -> Double { tanh(x) }
func gelu(_ x: Double) -> Double { 0.5 * x * (1 + erf(x / 2.0.squareRoot())) }

/// Numbers that find mistakes: signed zeros, denormals, infinities, NaN, and ordinary ones.
func hostile(_ count: Int, seed: UInt64, special: Bool = true) -> [Float] {
    let philox = Philox(seed: seed)
    let specials: [Float] = [
        0, -0.0, Float(bitPattern: 700), -Float(bitPattern: 700), .infinity, -.infinity, .nan, 3e38, -3e38, 89, -104,
        0.625, -0.5,
    ]
    return (0..<count).map { i in
        let word = philox.block((UInt32(i), 0, 0, 0))
        if special && word.1 % 7 == 0 { return specials[Int(word.2) % specials.count] }
        return (Philox.unit(word.0) - 0.5) * 8
    }
}

func bits(_ tensor: Tensor) -> [UInt32] { tensor.floats.map { $0.isNaN ? 0x7FC0_0000 : $0.bitPattern } }

/// Every instruction set here but the scalar one, and two threads beside one.
var devices: [Device] {
    Device.InstructionSet.available.map { Device(threadCount: 2, instructionSet: $0) } + [Device(threadCount: 1)]
}
