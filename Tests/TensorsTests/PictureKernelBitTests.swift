import Testing

@testable import Tensors

@Suite struct PictureKernelBitTests {
    let scalar = Device(threadCount: 1, instructionSet: .scalar)

    @Test(arguments: [1, 3, 16, 20], [1, 15, 17, 32])
    func `convolutions equal their scalar reference in every bit`(inputs: Int, outputs: Int) throws {
        let w = try Tensor(hostile(outputs * inputs * 9, seed: 20, special: false), shape: [outputs, inputs, 3, 3])
        let bias = try Tensor(hostile(outputs, seed: 21, special: false), shape: [outputs])
        let x = try Tensor(hostile(2 * 5 * 4 * inputs, seed: 22, special: inputs == 3), shape: [2, 5, 4, inputs])
        for (stride, enlarge) in [(1, 1), (2, 1), (1, 2)] {
            let reference = try scalar.convolution(
                FeatureMap(x), try PackedConvolution(w, on: scalar), bias: bias, stride: stride, enlarge: enlarge)
            for device in devices {
                let y = try device.convolution(
                    FeatureMap(x), try PackedConvolution(w, on: device), bias: bias, stride: stride, enlarge: enlarge)
                #expect(bits(y.pixels) == bits(reference.pixels), "\(device.instructionSet)")
            }
        }
    }

    @Test(arguments: [1, 2, 8], [2, 6, 16, 34]) func `group norms equal their scalar reference in every bit`(
        side: Int, width: Int
    ) throws {
        let x = try Tensor(hostile(2 * side * 9 * width, seed: 23, special: false), shape: [2, side, 9, width])
        let weight = try Tensor(hostile(width, seed: 24, special: false), shape: [width])
        let time = try Tensor(hostile(4 * width, seed: 25, special: false), shape: [2, 2 * width])
        for silu in [false, true] {
            let reference = try scalar.groupNorm(
                FeatureMap(x), groups: 2, weight: weight, bias: weight, epsilon: 1e-5, scaleShift: time, silu: silu)
            for device in devices {
                let y = try device.groupNorm(
                    FeatureMap(x), groups: 2, weight: weight, bias: weight, epsilon: 1e-5, scaleShift: time, silu: silu)
                #expect(bits(y.pixels) == bits(reference.pixels), "\(device.instructionSet)")
            }
        }
    }

    @Test(arguments: [1, 2, 16, 34]) func `affine maps equal their scalar reference in every bit`(width: Int) throws {
        let x = FeatureMap(try Tensor(hostile(2 * 15 * width, seed: 26), shape: [2, 3, 5, width]))
        let scale = try Tensor(hostile(2 * width, seed: 27), shape: [2, width])
        let shift = try Tensor(hostile(2 * width, seed: 28), shape: [2, width])
        for silu in [false, true] {
            for scale in [scale, nil] {
                let reference = try scalar.makeFeatureMap(like: x)
                scalar.affine(x, scale: scale, shift: shift, silu: silu, into: reference)
                for device in devices {
                    let y = try device.makeFeatureMap(like: x)
                    device.affine(x, scale: scale, shift: shift, silu: silu, into: y)
                    #expect(bits(y.pixels) == bits(reference.pixels), "\(device.instructionSet)")
                }
            }
        }
    }

    @Test(arguments: [0, 1, 15, 16, 17, 1_000])
    func `weighted sums, clamps and guidance equal their scalar reference in every bit`(count: Int) throws {
        let a = try Tensor(hostile(count, seed: 29), shape: [count]), expected = try Tensor(zeros: [count])
        let b = try Tensor(hostile(count, seed: 30), shape: [count]), y = try Tensor(zeros: [count])
        let both = try Tensor(hostile(2 * count, seed: 31), shape: [2 * count])
        for device in devices {
            for other in [b, nil] {
                scalar.weightedSum(0.3, a, -1.7, other, over: 0.9, into: expected)
                device.weightedSum(0.3, a, -1.7, other, over: 0.9, into: y)
                #expect(bits(y) == bits(expected), "\(device.instructionSet)")
            }
            scalar.clamp(a, to: 1.3, over: 0.7, into: expected)
            device.clamp(a, to: 1.3, over: 0.7, into: y)
            #expect(bits(y) == bits(expected), "\(device.instructionSet)")
            scalar.guide(both, scale: 3.5, into: expected)
            device.guide(both, scale: 3.5, into: y)
            #expect(bits(y) == bits(expected), "\(device.instructionSet)")
        }
    }

    @Test func `weighted sums and clamps round every operation by itself`() throws {
        let a = hostile(100, seed: 32), b = hostile(100, seed: 33)
        let x = try Tensor(a, shape: [100]), y = try Tensor(zeros: [100])
        scalar.weightedSum(1, x, -0.3, try Tensor(b, shape: [100]), over: 0.7, into: y)
        let expected = try Tensor(zip(a, b).map { ($0 - 0.3 * $1) / 0.7 }, shape: [100])
        #expect(bits(y) == bits(expected))
        scalar.clamp(x, to: 2, into: y)
        #expect(bits(y) == bits(try Tensor(a.map { min(max($0, -2), 2) }, shape: [100])))
        scalar.guide(try Tensor(a, shape: [2, 50]), scale: 7.5, into: y.rows(0..<50))
        let guided = zip(a[50...], a[..<50]).map { $0 + 7.5 * ($1 - $0) }
        #expect(bits(y.rows(0..<50)) == bits(try Tensor(guided, shape: [50])))
    }

    @Test(arguments: [1, 3, 16, 20], [1, 2, 17]) func `transposing and joining move every element to its place`(
        rows: Int, columns: Int
    ) throws {
        let x = try Tensor((0..<2 * rows * columns).map { Float($0) }, shape: [2, rows, columns])
        for device in devices {
            let y = try Tensor(zeros: [2, columns, rows]), back = try Tensor(zeros: x.shape)
            device.transpose(x, batch: 2, rows: rows, columns: columns, into: y)
            for b in 0..<2 {
                for i in 0..<rows {
                    for j in 0..<columns {
                        #expect(y[(b * columns + j) * rows + i] == x[(b * rows + i) * columns + j])
                    }
                }
            }
            device.transpose(y, batch: 2, rows: columns, columns: rows, into: back)
            #expect(bits(back) == bits(x))
            let map = FeatureMap(pixels: x, batch: 2, height: 1, width: rows)
            let joined = try device.joinChannels(
                map,
                try device.featureMap(
                    channelsFirst: y, batch: 2, height: 1, width: rows))
            #expect(joined.shape == [2, 1, rows, 2 * columns])
            for pixel in 0..<2 * rows {
                for c in 0..<2 * columns {
                    #expect(joined.pixels[pixel * 2 * columns + c] == x[pixel * columns + c % columns])
                }
            }
            #expect(bits(try device.doubled(map).pixels) == bits(x) + bits(x))
            #expect(bits(try device.channelsFirst(map)) == bits(y))
        }
    }

    @Test func `noise is a pure function of seed, step, draw and place, and nearly normal`() throws {
        let device = Device(threadCount: 1)
        func noise(_ count: Int, seed: UInt64, step: Int, draw: Int = 0) throws -> [Float] {
            let y = try Tensor(zeros: [2, count])
            device.fillNormal(y, row: 1, seed: seed, step: step, draw: draw)
            #expect(y.rows(0..<1).floats.allSatisfy { $0 == 0 })
            return y.rows(1..<2).floats
        }
        let long = try noise(10_000, seed: 7, step: 3)
        for count in [1, 2, 3, 4, 5, 99] {
            #expect(try noise(count, seed: 7, step: 3) == Array(long.prefix(count)))
        }
        for other in [
            try noise(100, seed: 8, step: 3), try noise(100, seed: 7, step: 4),
            try noise(100, seed: 7, step: 3, draw: 1),
        ] { #expect(other != Array(long.prefix(100))) }
        let mean = long.reduce(0, +) / 10_000, variance = long.reduce(0) { $0 + $1 * $1 } / 10_000
        #expect(abs(mean) < 0.04 && abs(variance - 1) < 0.06)
    }

    @Test func `the quantile of magnitudes is torch's`() throws {
        let values = hostile(101, seed: 34, special: false)
        let x = try Tensor(values, shape: [101]), sorted = values.map(abs).sorted()
        for ratio: Float in [0, 0.01, 0.5, 0.995, 1] {
            let place = ratio * 100, low = Int(place)
            let expected =
                low == 100 ? sorted[100] : sorted[low] + (sorted[low + 1] - sorted[low]) * (place - Float(low))
            #expect(x.magnitudeQuantile(ratio) == expected)
        }
        #expect(try Tensor([-2.5], shape: [1]).magnitudeQuantile(0.7) == 2.5)
        #expect(try Tensor([], shape: [0]).magnitudeQuantile(0.7) == 0)
    }
}
