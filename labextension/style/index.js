import './base.css';
import './buckets.css';
