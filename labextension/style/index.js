import './base.css';
import './buckets.css';
import './backup.css';
import './checks.css';
