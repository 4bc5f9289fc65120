extension LoadReport {
    /// No step for max(`patience`, 20 × the slowest seen): the instance takes no new calls and loses those that run.
    package func isStuck(after patience: Duration) -> Bool {
        guard let stepAge else { return false }
        return stepAge >= max(patience, slowestStep * 20)
    }

    mutating func validate() throws { capacity = max(1, capacity) }
}
