internal import CKernels

/// What the device can do at most: the yardstick beside every measured figure.
package struct DeviceLimits: Sendable, Codable {
    /// Bytes that all threads read from memory together, in a second.
    package var readRate: Double
    /// f32 operations a second, a multiply-add counted as two.
    package var operationRate: Double
    /// Multiply-adds of 8-bit whole numbers a second.
    package var byteRate: Double
    package var threads: Int

    /// The higher of each.
    package func raised(to other: DeviceLimits) -> DeviceLimits {
        DeviceLimits(
            readRate: max(readRate, other.readRate), operationRate: max(operationRate, other.operationRate),
            byteRate: max(byteRate, other.byteRate), threads: threads)
    }

    private enum CodingKeys: String, CodingKey {
        case readRate = "read_bandwidth_bytes_per_second"
        case operationRate = "flops_f32_per_second"
        case byteRate = "multiply_adds_int8_per_second"
        case threads
    }
}

extension Device {
    /// Measures the limits: the best of `rounds`.
    ///
    /// - Throws: `TensorError.tooLarge` when 512 MiB cannot be had.
    package func measureLimits(rounds: Int = 5) throws(TensorError) -> DeviceLimits {
        let block = 1 << 18, blocks = 512  // 1 MiB each, far more than the caches hold
        let data = try Tensor(zeros: [blocks, block])
        // Untouched, it would all be one page of zeros in the cache.
        for i in stride(from: 0, to: data.count, by: 512) { data[i] = 1 }
        let sums = try Tensor(zeros: [blocks])
        var limits = DeviceLimits(readRate: 0, operationRate: 0, byteRate: 0, threads: threadCount)
        let clock = ContinuousClock()
        for _ in 0..<rounds {
            let read = nephele_limit_args(isa: instructionSet.isa, data: data.f32, sums: sums.f32, length: block)
            let reading = clock.measure { run(nephele_read_limit, read, count: blocks) } / .seconds(1)
            limits.readRate = max(limits.readRate, Double(data.count * 4) / reading)

            let length = 1 << 16, units = 8 * threadCount
            let chains = nephele_limit_args(isa: instructionSet.isa, data: data.f32, sums: sums.f32, length: length)
            let multiplying = clock.measure { run(nephele_fma_limit, chains, count: units) } / .seconds(1)
            limits.operationRate = max(limits.operationRate, Double(units * length * 192 * 2) / multiplying)

            let bytes = nephele_limit_args(isa: instructionSet.isa, data: data.f32, sums: sums.f32, length: length / 4)
            let whole = clock.measure { run(nephele_byte_limit, bytes, count: units) } / .seconds(1)
            limits.byteRate = max(limits.byteRate, Double(units * length / 4 * 1_536) / whole)
        }
        withExtendedLifetime((data, sums)) {}
        return limits
    }
}
